import { render } from "preact";
import { App } from "./app.tsx";
import { begin } from "./live/store.ts";
import "uplot/dist/uPlot.min.css";
import "./style/base.css";
import "./style/parts.css";
import "./style/views.css";

begin();
render(<App />, document.getElementById("app")!);
