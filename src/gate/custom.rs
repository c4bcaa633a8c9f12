//! Gate `custom`: an expression in CEL over evidence.
//!
//! Before it is evaluated, every field it names is looked up in the evidence: a name that is not there is an error and
//! never a quiet false, and `all` over an empty list is an error and never a quiet true.

use std::collections::BTreeMap;

use cel::parser::PrattParser;
use cel::{Context, IdedExpr, ParseErrors};
use serde::Deserialize;
use serde_json::Value;

use super::{Answer, Gate, Judgement, settings};
use crate::evidence::{Evidence, Fact, Item, Kind};
use crate::format::yaml::did_you_mean;

/// The gate.
pub(super) struct Custom;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Settings {
    /// The expression; true is yes.
    expr: String,
    /// Names for the expression, each for a kind of evidence.
    evidence: BTreeMap<String, Kind>,
}

impl Gate for Custom {
    fn kind(&self) -> &'static str {
        "custom"
    }

    fn page(&self) -> &'static str {
        include_str!("../../docs/gates/custom.md")
    }

    fn needs(&self, value: &Value) -> Vec<Kind> {
        settings::<Settings>(value)
            .map(|settings| settings.evidence.into_values().collect())
            .unwrap_or_default()
    }

    fn accept(&self, value: &Value) -> Result<(), serde_json::Error> {
        let Settings { expr, evidence } = settings(value)?;
        let refuse = |message: String| serde::de::Error::custom(message);
        if evidence.is_empty() {
            return Err(refuse("`evidence` names nothing: the expression would decide nothing".to_owned()));
        }
        if expr.contains(['[', ']']) {
            return Err(refuse("`expr` uses brackets: write fields as `name.field`".to_owned()));
        }
        let parsed = parse(&expr).map_err(|error| refuse(format!("`expr` is no CEL: {error}")))?;
        let references = parsed.references();
        for variable in references.variables() {
            // Macros bind their own variables; those appear as the first argument of the macro.
            if !evidence.contains_key(variable) && !bound(&expr, variable) {
                let hint = did_you_mean(variable, evidence.keys().map(String::as_str));
                let hint = hint.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default();
                return Err(refuse(format!(
                    "`expr` names `{variable}`, which is no evidence of this gate{hint}"
                )));
            }
        }
        if !evidence.keys().any(|name| references.variables().contains(&name.as_str())) {
            return Err(refuse("`expr` looks at no evidence: it would decide nothing".to_owned()));
        }
        Ok(())
    }

    fn judge(&self, value: &Value, items: &[&Item], _evidence: &Evidence) -> Judgement {
        let Ok(Settings { expr, evidence }) = settings(value) else {
            return Judgement::unknown("settings of the gate custom".to_owned(), "other settings".to_owned());
        };
        let mut context = Context::default();
        for (name, kind) in &evidence {
            let mut of_kind = items.iter().filter(|item| item.kind == *kind);
            let (Some(item), None) = (of_kind.next(), of_kind.next()) else {
                return Judgement::unknown(expr, format!("not exactly one piece of evidence of kind {kind}"));
            };
            let fact = item.fact.as_ref().map(Fact::to_json).unwrap_or_default();
            if let Err(problem) = look_up(&expr, name, &fact) {
                return Judgement::unknown(expr, problem);
            }
            if context.add_variable(name.as_str(), fact).is_err() {
                return Judgement::unknown(expr, format!("{name} has no form in CEL"));
            }
        }
        let result = parse(&expr).map(|parsed| cel::Value::resolve(&parsed, &context));
        match result {
            Ok(Ok(cel::Value::Bool(yes))) => {
                let answer = if yes { Answer::Yes } else { Answer::No };
                Judgement { answer, expected: expr, measured: yes.to_string(), remedy: String::new() }
            }
            Ok(Ok(other)) => Judgement::unknown(expr, format!("it gives {other:?}, not true or false")),
            Ok(Err(error)) => Judgement::unknown(expr, error.to_string()),
            Err(error) => Judgement::unknown(expr, error.to_string()),
        }
    }
}

/// The most parts of an expression.
const MAX_PARTS: usize = 10_000;

/// Reads an expression. The parser without tables takes a limit, and half a megabyte less.
fn parse(expr: &str) -> Result<IdedExpr, ParseErrors> {
    PrattParser::new().max_expression_node_count(MAX_PARTS).parse(expr)
}

/// The macros of CEL that walk a list.
const MACROS: &[&str] = &["all", "exists", "exists_one", "map", "filter"];

/// Whether a macro binds the name: `list.all(name, …)`.
fn bound(expr: &str, name: &str) -> bool {
    MACROS.iter().any(|macro_name| expr.replace(' ', "").contains(&format!(".{macro_name}({name},")))
}

/// Looks every path from `root` up in the evidence, and every path from a variable of a macro in every element it
/// stands for. A list that a macro walks must not be empty: whatever is said of nothing would be believed.
fn look_up(expr: &str, root: &str, fact: &Value) -> Result<(), String> {
    let expr = &expr.split_whitespace().collect::<Vec<_>>().join(" ").replace(" .", ".").replace(". ", ".");
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    for (at, _) in expr.match_indices(root) {
        let before = expr[..at].chars().next_back();
        let mut rest = &expr[at + root.len()..];
        if before.is_some_and(|c| is_word(c) || c == '.' || c == '"' || c == '\'')
            || rest.starts_with(is_word)
        {
            continue;
        }
        let mut value = fact;
        let mut path = root.to_owned();
        while let Some(tail) = rest.strip_prefix('.') {
            let end = tail.find(|c: char| !is_word(c)).unwrap_or(tail.len());
            let (name, after) = tail.split_at(end);
            if let Some(arguments) = after.strip_prefix('(') {
                let variable = arguments.split(',').next().unwrap_or_default().trim();
                let is_macro = MACROS.contains(&name);
                match value.as_array() {
                    Some(items) if is_macro && items.is_empty() => {
                        return Err(format!("`{path}` is empty, so `{name}` would speak of nothing"));
                    }
                    Some(items) if is_macro => {
                        items.iter().try_for_each(|item| look_up(expr, variable, item))?;
                    }
                    _ => {}
                }
                break;
            }
            let Some(object) = value.as_object() else {
                return Err(format!("`{path}` has no fields, the expression names `{name}`"));
            };
            value = object.get(name).ok_or_else(|| {
                let hint = did_you_mean(name, object.keys().map(String::as_str));
                let hint = hint.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default();
                format!("`{path}` has no field `{name}`{hint}")
            })?;
            path = format!("{path}.{name}");
            rest = after;
        }
    }
    Ok(())
}
