//! S-expressions: a flat list in preorder, read without recursion.

/// What an s-expression is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `(…)`.
    List,
    /// A symbol or a number.
    Symbol(String),
    /// What stands between quotes.
    Text(String),
}

#[derive(Clone, Debug)]
struct Node {
    kind: Kind,
    /// The number of the first node after this one's subtree.
    after: usize,
    line: u32,
}

/// The s-expressions of a text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Forms {
    nodes: Vec<Node>,
}

/// A text that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct SyntaxError {
    /// From 1.
    pub line: u32,
    /// What is wrong.
    pub what: String,
}

impl Forms {
    /// Reads a text. O(length).
    pub(crate) fn read(text: &str) -> Result<Forms, SyntaxError> {
        let mut forms = Forms::default();
        let mut open: Vec<usize> = Vec::new();
        let mut line = 1;
        let error = |line: u32, what: &str| SyntaxError {
            line,
            what: what.to_owned(),
        };
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '\n' => line += 1,
                ';' => while rest.next_if(|&c| c != '\n').is_some() {},
                '(' => {
                    open.push(forms.nodes.len());
                    forms.push(Kind::List, line);
                }
                ')' => {
                    let list = open.pop().ok_or_else(|| error(line, "this `)` closes nothing"))?;
                    forms.nodes[list].after = forms.nodes.len();
                }
                '"' => {
                    let start = line;
                    let mut text = String::new();
                    loop {
                        match rest.next() {
                            None => return Err(error(start, "this string has no closing quote")),
                            Some('"') => break,
                            Some('\\') => text.push(match rest.next() {
                                Some('n') => '\n',
                                Some('t') => '\t',
                                Some('r') => '\r',
                                Some(c @ ('\\' | '"')) => c,
                                _ => return Err(error(line, "this is not an escape")),
                            }),
                            Some(c) => {
                                line += u32::from(c == '\n');
                                text.push(c);
                            }
                        }
                    }
                    forms.push(Kind::Text(text), start);
                }
                c if c.is_whitespace() || c == '\u{feff}' => {}
                c => {
                    let mut symbol = String::from(c);
                    let within = |c: &char| !matches!(c, '(' | ')' | ';' | '"' | '\u{feff}') && !c.is_whitespace();
                    while let Some(c) = rest.next_if(within) {
                        symbol.push(c);
                    }
                    forms.push(Kind::Symbol(symbol), line);
                }
            }
        }
        match open.last() {
            Some(&list) => Err(error(forms.nodes[list].line, "this `(` is never closed")),
            None => Ok(forms),
        }
    }

    fn push(&mut self, kind: Kind, line: u32) {
        let after = self.nodes.len() + 1;
        self.nodes.push(Node { kind, after, line });
    }

    /// The s-expressions at the top.
    pub(crate) fn roots(&self) -> impl Iterator<Item = usize> {
        self.siblings(0, self.nodes.len())
    }

    /// The elements of a list; none for anything else.
    pub(crate) fn elements(&self, form: usize) -> impl Iterator<Item = usize> {
        self.siblings(form + 1, self.nodes[form].after)
    }

    fn siblings(&self, mut from: usize, to: usize) -> impl Iterator<Item = usize> {
        std::iter::from_fn(move || {
            (from < to).then(|| {
                let form = from;
                from = self.nodes[from].after;
                form
            })
        })
    }

    /// What it is.
    pub(crate) fn kind(&self, form: usize) -> &Kind {
        &self.nodes[form].kind
    }

    /// The line that it begins on, from 1.
    pub(crate) fn line(&self, form: usize) -> u32 {
        self.nodes[form].line
    }

    /// The first form after this one and all that is in it.
    pub(crate) fn after(&self, form: usize) -> usize {
        self.nodes[form].after
    }

    /// The symbol, if it is one.
    pub(crate) fn symbol(&self, form: usize) -> Option<&str> {
        match self.kind(form) {
            Kind::Symbol(symbol) => Some(symbol),
            _ => None,
        }
    }

    /// The symbol that a list begins with.
    pub(crate) fn head(&self, form: usize) -> Option<&str> {
        self.elements(form).next().and_then(|head| self.symbol(head))
    }
}
