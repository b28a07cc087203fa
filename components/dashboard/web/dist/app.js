"use strict";
// Shows the status as text, by events where there are some, and by asking where there are none.
const show = (text) => {
  const status = JSON.parse(text);
  document.getElementById("summary").textContent = status.summary;
  document.getElementById("status").textContent = JSON.stringify(status, null, 2);
};
const ask = () =>
  fetch("/status")
    .then((answer) => answer.text())
    .then(show)
    .catch((error) => {
      document.getElementById("summary").textContent = `The network does not answer: ${error.message}`;
    });
ask();
const events = new EventSource("/events");
events.addEventListener("status", (event) => show(event.data));
setInterval(() => {
  if (events.readyState !== EventSource.OPEN) ask();
}, 2000);
