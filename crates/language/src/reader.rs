//! S-expressions with their places: a flat arena in preorder, read and printed without recursion.
//!
//! The lexical rules are egglog's: a comment runs from `;` to the end of the line; a string stands between `"` and may have the escapes
//! `\n`, `\t`, `\r`, `\\` and `\"`; whatever else stands between blanks and parentheses is a symbol (a number is a symbol until
//! something wants a number).

use std::ops::Range;

use crate::diagnostic::Diagnostic;

/// The largest text that is read, in bytes.
pub const MAX_TEXT: usize = 64 << 20;

/// The most nodes (lists, symbols and strings) of one text.
pub const MAX_NODES: usize = 32_000_000;

/// What an s-expression is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `(…)`.
    List,
    /// A symbol or a number.
    Symbol,
    /// A string.
    String,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    start: u32,
    end: u32,
    /// The number of the first node after this one's subtree.
    skip: u32,
    kind: Kind,
    head: bool,
}

/// An s-expression of a [`Forms`], by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Form(pub(crate) u32);

/// The s-expressions of a text. 16 bytes a node.
#[derive(Clone, Debug)]
pub struct Forms<'t> {
    text: &'t str,
    nodes: Vec<Node>,
}

impl<'t> Forms<'t> {
    /// Reads a text. O(length). Answers every mistake, not only the first.
    pub fn read(text: &'t str) -> Result<Forms<'t>, Vec<Diagnostic>> {
        let mut errors = Vec::new();
        let mut forms = Forms {
            text,
            nodes: Vec::new(),
        };
        forms.read_range(0..text.len(), &mut errors);
        if errors.is_empty() { Ok(forms) } else { Err(errors) }
    }

    /// Reads a part of a text only; places are those of the whole text.
    pub fn read_part(text: &'t str, part: Range<usize>) -> Result<Forms<'t>, Vec<Diagnostic>> {
        let mut errors = Vec::new();
        let mut forms = Forms {
            text,
            nodes: Vec::new(),
        };
        forms.read_range(part, &mut errors);
        if errors.is_empty() { Ok(forms) } else { Err(errors) }
    }

    fn read_range(&mut self, part: Range<usize>, errors: &mut Vec<Diagnostic>) {
        let text = self.text;
        if text.len() > MAX_TEXT {
            let message = format!("the text is longer than {MAX_TEXT} bytes");
            errors.push(Diagnostic::error("limit", 0..0, message).help("split it into several files"));
            return;
        }
        let bytes = &text.as_bytes()[..part.end];
        let mut open: Vec<u32> = Vec::new();
        let mut at = part.start;
        while let Some(&byte) = bytes.get(at) {
            if self.nodes.len() > MAX_NODES {
                let message = format!("the text has more than {MAX_NODES} s-expressions");
                errors.push(Diagnostic::error("limit", at..at, message).help("split it into several files"));
                return;
            }
            let start = at;
            match byte {
                b' ' | b'\n' | b'\t' | b'\r' => at += 1,
                b';' => {
                    at = bytes[at..]
                        .iter()
                        .position(|&b| b == b'\n')
                        .map_or(bytes.len(), |n| at + n);
                }
                b'(' => {
                    open.push(self.nodes.len() as u32);
                    self.push(start, start + 1, Kind::List);
                    at += 1;
                }
                b')' => {
                    at += 1;
                    match open.pop() {
                        Some(list) => {
                            let next = self.nodes.len() as u32;
                            let node = &mut self.nodes[list as usize];
                            (node.end, node.skip) = (at as u32, next);
                        }
                        None => errors.push(
                            Diagnostic::error("unexpected-paren", start..at, "this `)` closes nothing")
                                .help("remove it, or add the `(` that it belongs to"),
                        ),
                    }
                }
                b'"' => {
                    at = string_end(bytes, start, text, errors);
                    self.push(start, at, Kind::String);
                }
                _ => {
                    at = symbol_end(text, bytes, start);
                    if at > start {
                        self.push(start, at, Kind::Symbol);
                    } else {
                        // A blank beyond ASCII.
                        at += text[start..].chars().next().map_or(1, char::len_utf8);
                    }
                }
            }
        }
        // Each could have been meant to end anywhere; the innermost is the nearest to the mistake, the outermost shows its extent.
        if let (Some(&outermost), Some(&innermost)) = (open.first(), open.last()) {
            let place = |list: u32| self.nodes[list as usize].start as usize..self.nodes[list as usize].end as usize;
            let message = match open.len() {
                1 => "this `(` is never closed".to_owned(),
                n => format!("this `(` and {} inside it are never closed", n - 1),
            };
            let help = if open.len() == 1 {
                "add a `)`"
            } else {
                "add `)` where they should end"
            };
            errors.push(Diagnostic::error("unclosed-paren", place(outermost), message).help(help));
            if innermost != outermost {
                errors.push(
                    Diagnostic::error("unclosed-paren", place(innermost), "the innermost of them is this one")
                        .help("add a `)`"),
                );
            }
        }
    }

    fn push(&mut self, start: usize, end: usize, kind: Kind) {
        let skip = self.nodes.len() as u32 + 1;
        // A list that is still open ends, for now, just behind its parenthesis.
        let head = self
            .nodes
            .last()
            .is_some_and(|last| last.kind == Kind::List && last.end == last.start + 1);
        self.nodes.push(Node {
            start: start as u32,
            end: end as u32,
            skip,
            kind,
            head,
        });
    }

    /// The text that was read.
    pub fn text(&self) -> &'t str {
        self.text
    }

    /// The s-expressions at the top.
    pub fn roots(&self) -> impl Iterator<Item = Form> {
        self.siblings(0, self.nodes.len() as u32)
    }

    /// The elements of a list; none for anything else.
    pub fn elements(&self, form: Form) -> impl Iterator<Item = Form> {
        self.siblings(form.0 + 1, self.nodes[form.0 as usize].skip)
    }

    fn siblings(&self, mut from: u32, to: u32) -> impl Iterator<Item = Form> {
        std::iter::from_fn(move || {
            (from < to).then(|| {
                let form = Form(from);
                from = self.nodes[from as usize].skip;
                form
            })
        })
    }

    /// What it is.
    pub fn kind(&self, form: Form) -> Kind {
        self.nodes[form.0 as usize].kind
    }

    /// Where it is.
    pub fn span(&self, form: Form) -> Range<usize> {
        let node = self.nodes[form.0 as usize];
        node.start as usize..node.end as usize
    }

    /// Where several adjacent ones are.
    pub fn span_of(&self, forms: &[Form]) -> Range<usize> {
        match forms {
            [first, .., last] => self.span(*first).start..self.span(*last).end,
            [only] => self.span(*only),
            [] => 0..0,
        }
    }

    /// It as it is written.
    pub fn source(&self, form: Form) -> &'t str {
        &self.text[self.span(form)]
    }

    /// The symbol, if it is one.
    pub fn symbol(&self, form: Form) -> Option<&'t str> {
        (self.kind(form) == Kind::Symbol).then(|| self.source(form))
    }

    /// The symbol that a list begins with.
    pub fn head(&self, form: Form) -> Option<&'t str> {
        self.elements(form).next().and_then(|head| self.symbol(head))
    }

    /// What a string says.
    pub fn string(&self, form: Form) -> Option<String> {
        if self.kind(form) != Kind::String {
            return None;
        }
        let source = self.source(form);
        Some(unescape(&source[1..source.len() - 1]))
    }

    /// Whether it is the first element of a list.
    pub(crate) fn is_head(&self, form: Form) -> bool {
        self.nodes[form.0 as usize].head
    }

    /// The first form after this one and all that is in it.
    pub(crate) fn after(&self, form: Form) -> Form {
        Form(self.nodes[form.0 as usize].skip)
    }

    /// The form on one line, with one blank between elements.
    pub fn print(&self, form: Form) -> String {
        let mut text = String::new();
        let mut open: Vec<Form> = Vec::new();
        let end = self.after(form);
        let mut at = form;
        while at < end {
            while open.last().is_some_and(|&end| end <= at) {
                open.pop();
                text.push(')');
            }
            if at != form && !self.is_head(at) {
                text.push(' ');
            }
            match self.kind(at) {
                Kind::List => {
                    text.push('(');
                    open.push(self.after(at));
                }
                Kind::Symbol => text.push_str(self.source(at)),
                Kind::String => text.push_str(&quote(&self.string(at).unwrap_or_default())),
            }
            at = Form(at.0 + 1);
        }
        text.extend(open.iter().map(|_| ')'));
        text
    }
}

/// The text between quotes, with escapes, so that reading it gives the text again.
pub fn quote(text: &str) -> String {
    eqmesh_egraph::value::Value::String(text.into()).to_string()
}

fn symbol_end(text: &str, bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'(' | b')' | b';' | b'"' => break,
            _ if byte.is_ascii() => {
                if byte.is_ascii_whitespace() || byte == 0x0b {
                    break;
                }
                at += 1;
            }
            _ => match text[at..].chars().next() {
                Some(c) if !c.is_whitespace() && c != '\u{feff}' => at += c.len_utf8(),
                _ => break,
            },
        }
    }
    at
}

fn string_end(bytes: &[u8], start: usize, text: &str, errors: &mut Vec<Diagnostic>) -> usize {
    let mut at = start + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => {
                match bytes.get(at + 1) {
                    None | Some(b'n' | b't' | b'r' | b'\\' | b'"') => {}
                    Some(_) => {
                        let escaped = text[at + 1..].chars().next().unwrap_or_default();
                        errors.push(
                            Diagnostic::error(
                                "bad-escape",
                                at..at + 1 + escaped.len_utf8(),
                                format!("`\\{escaped}` is not an escape"),
                            )
                            .help("the escapes are \\n, \\t, \\r, \\\\ and \\\""),
                        );
                    }
                }
                at += 2;
                while at < bytes.len() && !text.is_char_boundary(at) {
                    at += 1;
                }
            }
            _ => at += 1,
        }
    }
    errors.push(
        Diagnostic::error("unclosed-string", start..start + 1, "this string has no closing quote").help("add a `\"`"),
    );
    bytes.len()
}

fn unescape(text: &str) -> String {
    let mut content = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        if c != '\\' {
            content.push(c);
            continue;
        }
        match characters.next() {
            Some('n') => content.push('\n'),
            Some('t') => content.push('\t'),
            Some('r') => content.push('\r'),
            Some(other) => content.push(other),
            None => {}
        }
    }
    content
}
