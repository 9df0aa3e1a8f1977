//! From a template's parts and data to text, within limits.

use std::borrow::Cow;

use super::escape::Escaper;
use super::{Data, Fault, Limits, Node, Partials, Template};

/// Renders a template.
pub(super) fn render<'t>(
    template: &Template<'t>,
    data: &Data<'_>,
    escaper: &dyn Escaper,
    partials: &Partials<'t>,
    limits: Limits,
) -> Result<String, Fault> {
    let mut renderer = Renderer { out: String::new(), escaper, partials, limits, steps: 0, depth: 0 };
    let mut stack = vec![data];
    let here = Here { source: template.source, indent: "" };
    renderer.nodes(&template.nodes, &mut stack, here)?;
    Ok(renderer.out)
}

struct Renderer<'r, 't> {
    out: String,
    escaper: &'r dyn Escaper,
    partials: &'r Partials<'t>,
    limits: Limits,
    steps: usize,
    depth: usize,
}

/// Which template is being rendered, and how far its lines are indented.
#[derive(Clone, Copy)]
struct Here<'r> {
    source: &'r str,
    indent: &'r str,
}

impl<'t> Renderer<'_, 't> {
    fn nodes<'d, 'j>(
        &mut self,
        nodes: &[Node<'t>],
        stack: &mut Vec<&'d Data<'j>>,
        here: Here<'_>,
    ) -> Result<(), Fault> {
        for node in nodes {
            match node {
                Node::Text { text, at } => self.text(text, here, *at)?,
                Node::Line => self.text(here.indent, here, 0)?,
                Node::Value { name, escaped, at } => {
                    if let Some(value) = self.find(name, stack, here, *at)? {
                        self.value(value, *escaped, here, *at)?;
                    }
                }
                Node::Section { name, inverted, nodes, at } => {
                    let value = self.find(name, stack, here, *at)?.filter(|value| value.is_true());
                    self.deeper(here, *at)?;
                    match value {
                        None if *inverted => self.nodes(nodes, stack, here)?,
                        Some(value) if !*inverted => self.section(value, nodes, stack, here, *at)?,
                        _ => {}
                    }
                    self.depth -= 1;
                }
                Node::Partial { name, indent, at } => self.partial(name, *indent, stack, here, *at)?,
            }
        }
        Ok(())
    }

    fn section<'d, 'j>(
        &mut self,
        value: &'d Data<'j>,
        nodes: &[Node<'t>],
        stack: &mut Vec<&'d Data<'j>>,
        here: Here<'_>,
        at: usize,
    ) -> Result<(), Fault> {
        for item in value.list().unwrap_or(std::slice::from_ref(value)) {
            self.work(1, here, at)?;
            stack.push(item);
            self.nodes(nodes, stack, here)?;
            stack.pop();
        }
        Ok(())
    }

    fn partial(
        &mut self,
        name: &str,
        indent: Option<&str>,
        stack: &mut Vec<&Data<'_>>,
        here: Here<'_>,
        at: usize,
    ) -> Result<(), Fault> {
        self.work(1, here, at)?;
        let partials = self.partials;
        let Some(partial) = partials.0.get(name) else { return Ok(()) };
        self.deeper(here, at)?;
        // What stands within a line is not indented; what stands alone moves its lines as far in as it is itself.
        let indent = indent.map_or(String::new(), |own| format!("{}{own}", here.indent));
        self.nodes(&partial.nodes, stack, Here { source: partial.source, indent: &indent })?;
        self.depth -= 1;
        Ok(())
    }

    fn value(&mut self, value: &Data<'_>, escaped: bool, here: Here<'_>, at: usize) -> Result<(), Fault> {
        self.work(value.len() / 64, here, at)?;
        let shown: Cow<'_, str> = value.shown();
        let written = self.escaper.write(&mut self.out, &shown, escaped);
        written.map_err(|(problem, fix)| Fault::at(here.source, at, problem, fix))?;
        self.within_output(here, at)
    }

    fn text(&mut self, text: &str, here: Here<'_>, at: usize) -> Result<(), Fault> {
        self.out.push_str(text);
        self.within_output(here, at)
    }

    /// Looks a name up: its first part in every surrounding section, innermost first, the others inside of what is found.
    fn find<'d, 'j>(
        &mut self,
        name: &[&str],
        stack: &[&'d Data<'j>],
        here: Here<'_>,
        at: usize,
    ) -> Result<Option<&'d Data<'j>>, Fault> {
        self.work(1, here, at)?;
        let Some((first, others)) = name.split_first() else { return Ok(stack.last().copied()) };
        let mut found = None;
        for around in stack.iter().rev() {
            let (member, looked_at) = around.member(first);
            self.work(looked_at, here, at)?;
            found = member;
            if found.is_some() {
                break;
            }
        }
        for part in others {
            let Some(value) = found else { break };
            let (member, looked_at) = value.member(part);
            self.work(looked_at, here, at)?;
            found = member;
        }
        Ok(found)
    }

    fn work(&mut self, steps: usize, here: Here<'_>, at: usize) -> Result<(), Fault> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps <= self.limits.steps {
            return Ok(());
        }
        let problem = format!("rendering takes more than {} steps", self.limits.steps);
        Err(Fault::at(here.source, at, problem, "put fewer lists inside of lists, or send fewer items"))
    }

    fn deeper(&mut self, here: Here<'_>, at: usize) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth <= self.limits.depth {
            return Ok(());
        }
        let problem = format!("sections and partials are nested deeper than {} levels", self.limits.depth);
        Err(Fault::at(
            here.source,
            at,
            problem,
            "flatten the template; a partial must not include itself for ever",
        ))
    }

    fn within_output(&mut self, here: Here<'_>, at: usize) -> Result<(), Fault> {
        if self.out.len() <= self.limits.output {
            return Ok(());
        }
        let problem = format!("the template makes more than {} bytes", self.limits.output);
        Err(Fault::at(here.source, at, problem, "leave large parts out, or repeat less"))
    }
}
