//! Text modules: their bytes, and which line a byte comes from.

use wasmparser::{Parser, Payload};
use wast::{
    Wat,
    core::{FuncKind, ModuleField, ModuleKind},
    parser::{self, ParseBuffer},
    token::Span,
};

use crate::outcome::Failure;

/// The module's bytes.
pub(crate) fn assemble(text: &str) -> Result<Vec<u8>, Failure> {
    encode(text).map_err(|error| failure(&error, text))
}

fn encode(text: &str) -> Result<Vec<u8>, wast::Error> {
    let buffer = ParseBuffer::new(text)?;
    parser::parse::<Wat<'_>>(&buffer)?.encode()
}

fn failure(error: &wast::Error, text: &str) -> Failure {
    Failure::text(&error.message(), error.span().linecol_in(text).0 + 1)
}

/// The line, from 1, of the operator at `offset` of the module's bytes; of the function, where the offset is before its
/// operators; `None` outside of functions.
pub(crate) fn line_of(text: &str, offset: u64) -> Option<usize> {
    let (function, operator) = position(&encode(text).ok()?, offset)?;
    let mut buffer = ParseBuffer::new(text).ok()?;
    buffer.track_instr_spans(true);
    let spans = spans(&parser::parse::<Wat<'_>>(&buffer).ok()?, function)?;
    let span = operator.and_then(|operator| spans.1.get(operator)).unwrap_or(&spans.0);
    Some(span.linecol_in(text).0 + 1)
}

/// Which of the functions that the module defines has the byte, and which of its operators.
fn position(module: &[u8], offset: u64) -> Option<(usize, Option<usize>)> {
    let bodies = Parser::new(0).parse_all(module).filter_map(|payload| match payload {
        Ok(Payload::CodeSectionEntry(body)) => Some(body),
        _ => None,
    });
    let offset = usize::try_from(offset).ok()?;
    let (function, body) = bodies.enumerate().find(|(_, body)| body.range().contains(&offset))?;
    let operators = body.get_operators_reader().ok()?.into_iter_with_offsets();
    let before = operators.filter_map(Result::ok).take_while(|(_, at)| *at <= offset).count();
    Some((function, before.checked_sub(1)))
}

/// Where a function begins, and where its operators are.
fn spans(wat: &Wat<'_>, function: usize) -> Option<(Span, Vec<Span>)> {
    let Wat::Module(module) = wat else { return None };
    let ModuleKind::Text(fields) = &module.kind else { return None };
    let mut defined = fields.iter().filter_map(|field| match field {
        ModuleField::Func(func) => match &func.kind {
            FuncKind::Inline { expression, .. } => Some((func.span, expression)),
            FuncKind::Import(..) => None,
        },
        _ => None,
    });
    let (span, expression) = defined.nth(function)?;
    Some((span, expression.instr_spans.as_deref().map(<[Span]>::to_vec).unwrap_or_default()))
}
