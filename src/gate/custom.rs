//! Gate `custom`: an expression in CEL over evidence.
//!
//! Before it is evaluated, every field it names is looked up in the evidence: a name that is not there is an error and
//! never a quiet false, and `all` over an empty list is an error and never a quiet true. How often it would look is
//! counted as well: evidence is foreign, and lists within lists multiply.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cel::common::ast::{EntryExpr, Expr, LiteralValue, operators};
use cel::parser::PrattParser;
use cel::{Context, IdedExpr};
use serde::Deserialize;
use serde_json::Value;

use super::{Answer, Gate, Judgement, settings};
use crate::diag::perhaps;
use crate::evidence::{Evidence, Fact, Item, Kind};

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
        let parsed = parse(&expr).map_err(refuse)?;
        let mut said = Said::default();
        said.read(&parsed, &mut Vec::new());
        if said.constant {
            return Err(refuse("`expr` says `true` or `false` where it should ask something".to_owned()));
        }
        if let Some(name) = said.names.iter().find(|name| !evidence.contains_key(**name)) {
            let hint = perhaps(name, evidence.keys().map(String::as_str));
            return Err(refuse(format!("`expr` names `{name}`, which is no evidence of this gate{hint}")));
        }
        if said.names.is_empty() {
            return Err(refuse("`expr` looks at no evidence: it would decide nothing".to_owned()));
        }
        Ok(())
    }

    fn judge(&self, value: &Value, items: &[&Item], _evidence: &Evidence) -> Judgement {
        let Ok(Settings { expr, evidence }) = settings(value) else {
            return Judgement::unknown("settings of the gate custom".to_owned(), "other settings".to_owned());
        };
        let parsed = match parse(&expr) {
            Ok(parsed) => parsed,
            Err(problem) => return Judgement::unknown(expr, problem),
        };
        let mut facts = BTreeMap::new();
        let mut context = Context::default();
        for (name, kind) in &evidence {
            let mut of_kind = items.iter().filter(|item| item.kind == *kind);
            let (Some(item), None) = (of_kind.next(), of_kind.next()) else {
                return Judgement::unknown(expr, format!("not exactly one piece of evidence of kind {kind}"));
            };
            let fact = item.fact.as_ref().map(Fact::to_json).unwrap_or_default();
            context.add_variable_from_value(name.as_str(), in_cel(&fact));
            facts.insert(name.as_str(), fact);
        }
        let mut look = Look { context: &context, looks: 0 };
        let mut names: Names<'_> = facts.iter().map(|(name, fact)| (*name, Some(vec![fact]))).collect();
        if let Err(problem) = look.up(&parsed, &mut names, 1) {
            return Judgement::unknown(expr, problem);
        }
        match cel::Value::resolve(&parsed, &context) {
            Ok(cel::Value::Bool(yes)) => {
                let answer = if yes { Answer::Yes } else { Answer::No };
                Judgement { answer, expected: expr, measured: yes.to_string(), remedy: String::new() }
            }
            Ok(other) => Judgement::unknown(expr, format!("it gives {other:?}, not true or false")),
            Err(error) => Judgement::unknown(expr, error.to_string()),
        }
    }
}

/// A document as CEL has it. Whole numbers are `int`, as those in an expression are: `uint` cannot be added to them.
fn in_cel(value: &Value) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(yes) => cel::Value::Bool(*yes),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => cel::Value::Int(number),
            (None, Some(number)) => cel::Value::UInt(number),
            (None, None) => cel::Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => cel::Value::String(Arc::new(text.clone())),
        Value::Array(items) => cel::Value::List(Arc::new(items.iter().map(in_cel).collect())),
        Value::Object(map) => {
            let map: HashMap<String, cel::Value> =
                map.iter().map(|(key, value)| (key.clone(), in_cel(value))).collect();
            map.into()
        }
    }
}

/// The longest expression, in bytes.
const MAX_EXPR: usize = 4096;
/// The most signs in one: the reader recurses into what is written one inside the other, and no sign, no inside.
const MAX_SIGNS: usize = 500;
/// How deep one part may be inside another: whoever evaluates it recurses as well, and takes more room for it.
const MAX_DEPTH: usize = 100;
/// How often an expression may look at a value.
const MAX_LOOKS: usize = 1_000_000;

/// Reads an expression. The parser without tables takes half a megabyte less.
fn parse(expr: &str) -> Result<IdedExpr, String> {
    if expr.len() > MAX_EXPR {
        return Err(format!("`expr` has {} bytes, at most {MAX_EXPR} are read", expr.len()));
    }
    let signs = expr.chars().filter(|c| ".,:?!+-*/%<>=&|({".contains(*c)).count();
    if signs > MAX_SIGNS {
        return Err(format!("`expr` has {signs} signs such as `.` and `&`, at most {MAX_SIGNS} are read"));
    }
    let parsed = PrattParser::new().parse(expr).map_err(|errors| {
        // The first of them, without the excerpt: the place in the policy is told beside it.
        let text = errors.to_string();
        let first = text.lines().next().unwrap_or_default().trim_start_matches("ERROR: <input>:");
        format!("`expr` is no CEL: {first}")
    })?;
    let depth = depth(&parsed);
    if depth > MAX_DEPTH {
        return Err(format!(
            "`expr` has parts inside of each other {depth} deep, at most {MAX_DEPTH} are read"
        ));
    }
    Ok(parsed)
}

fn depth(expr: &IdedExpr) -> usize {
    1 + parts(expr).into_iter().map(depth).max().unwrap_or(0)
}

/// The parts an expression is made of, next to each other.
fn parts(expr: &IdedExpr) -> Vec<&IdedExpr> {
    match &expr.expr {
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => Vec::new(),
        Expr::Select(select) => vec![&*select.operand],
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).collect(),
        Expr::Comprehension(each) => vec![&each.iter_range, &each.loop_step],
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => map.entries.iter().flat_map(|found| entry(&found.expr)).collect(),
        Expr::Struct(made) => made.entries.iter().flat_map(|found| entry(&found.expr)).collect(),
    }
}

fn entry(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(pair) => vec![&pair.key, &pair.value],
    }
}

/// What an expression says, whatever the evidence is.
#[derive(Default)]
struct Said<'e> {
    /// Names that nothing in the expression binds.
    names: Vec<&'e str>,
    /// Whether an answer is written down where one should be found.
    constant: bool,
}

impl<'e> Said<'e> {
    fn read(&mut self, expr: &'e IdedExpr, bound: &mut Vec<&'e str>) {
        match &expr.expr {
            Expr::Ident(name) if !bound.contains(&name.as_str()) => self.names.push(name),
            Expr::Call(call) => {
                let asks = [operators::LOGICAL_AND, operators::LOGICAL_OR, operators::LOGICAL_NOT];
                self.constant |= match call.func_name.as_str() {
                    name if asks.contains(&name) => call.args.iter().any(is_constant),
                    operators::CONDITIONAL => call.args.first().is_some_and(is_constant),
                    _ => false,
                };
                parts(expr).into_iter().for_each(|part| self.read(part, bound));
            }
            Expr::Comprehension(each) => {
                self.read(&each.iter_range, bound);
                let outside = bound.len();
                bound.extend([each.iter_var.as_str(), each.accu_var.as_str()]);
                bound.extend(each.iter_var2.as_deref());
                self.read(&each.loop_step, bound);
                bound.truncate(outside);
            }
            Expr::Ident(_)
            | Expr::Literal(_)
            | Expr::Unspecified
            | Expr::Select(_)
            | Expr::List(_)
            | Expr::Map(_)
            | Expr::Struct(_) => parts(expr).into_iter().for_each(|part| self.read(part, bound)),
        }
    }
}

fn is_constant(expr: &IdedExpr) -> bool {
    matches!(expr.expr, Expr::Literal(LiteralValue::Boolean(_)))
}

/// What a name stands for: all values it takes, or `None` for what is calculated.
type Names<'a> = BTreeMap<&'a str, Option<Vec<&'a Value>>>;

/// Looks up in the evidence what an expression names.
struct Look<'c> {
    context: &'c Context<'c, 'c>,
    looks: usize,
}

impl Look<'_> {
    /// Every value an expression stands for in the evidence; `None` for what is calculated. `times` is how often it is
    /// evaluated.
    fn up<'a>(
        &mut self,
        expr: &'a IdedExpr,
        names: &mut Names<'a>,
        times: usize,
    ) -> Result<Option<Vec<&'a Value>>, String> {
        self.looks = self.looks.saturating_add(times);
        if self.looks > MAX_LOOKS {
            return Err(format!("it would look at more than {MAX_LOOKS} values"));
        }
        match &expr.expr {
            Expr::Ident(name) => return Ok(names.get(name.as_str()).cloned().flatten()),
            Expr::Select(select) => {
                let Some(values) = self.up(&select.operand, names, times)? else { return Ok(None) };
                let path = path(&select.operand);
                return values
                    .into_iter()
                    .map(|value| field(value, &path, &select.field))
                    .collect::<Result<_, _>>()
                    .map(Some);
            }
            Expr::Comprehension(_) => self.each(expr, names, times)?,
            Expr::Literal(_) | Expr::Unspecified | Expr::Call(_) | Expr::List(_) => {
                for part in parts(expr) {
                    self.up(part, names, times)?;
                }
            }
            Expr::Map(_) | Expr::Struct(_) => {
                return Err("it makes an object, which no gate needs".to_owned());
            }
        }
        Ok(None)
    }

    /// A macro that walks a list. The list must not be empty: whatever is said of nothing would be believed.
    fn each<'a>(&mut self, expr: &'a IdedExpr, names: &mut Names<'a>, times: usize) -> Result<(), String> {
        let Expr::Comprehension(each) = &expr.expr else { return Ok(()) };
        let path = path(&each.iter_range);
        let empty = || format!("`{path}` is empty, so what is said of all of it would speak of nothing");
        let (items, longest) = match self.up(&each.iter_range, names, times)? {
            Some(lists) => {
                let mut items = Vec::new();
                let mut longest = 0;
                for list in lists {
                    let found = list.as_array().ok_or_else(|| format!("`{path}` is no list"))?;
                    if found.is_empty() {
                        return Err(empty());
                    }
                    longest = longest.max(found.len());
                    items.extend(found);
                }
                (Some(items), longest)
            }
            // A list that is calculated, by `filter` for example.
            None => match cel::Value::resolve(&each.iter_range, self.context) {
                Ok(cel::Value::List(found)) if found.is_empty() => return Err(empty()),
                Ok(cel::Value::List(found)) => (None, found.len()),
                Ok(_) => return Err(format!("`{path}` is no list")),
                Err(error) => return Err(format!("`{path}` cannot be told before it is evaluated: {error}")),
            },
        };
        let outside = names.clone();
        names.insert(&each.iter_var, items);
        names.insert(&each.accu_var, None);
        let answer = self.up(&each.loop_step, names, times.saturating_mul(longest));
        *names = outside;
        answer.map(drop)
    }
}

/// A field of a value of the evidence.
fn field<'a>(value: &'a Value, path: &str, name: &str) -> Result<&'a Value, String> {
    let object =
        value.as_object().ok_or_else(|| format!("`{path}` has no fields, the expression names `{name}`"))?;
    object.get(name).ok_or_else(|| {
        let hint = perhaps(name, object.keys().map(String::as_str));
        format!("`{path}` has no field `{name}`{hint}")
    })
}

/// A part of an expression as it is told.
fn path(expr: &IdedExpr) -> String {
    match &expr.expr {
        Expr::Ident(name) => name.clone(),
        Expr::Select(select) => format!("{}.{}", path(&select.operand), select.field),
        Expr::Comprehension(each) => format!("{}.…", path(&each.iter_range)),
        Expr::Call(call) => format!("{}(…)", call.func_name),
        Expr::Literal(_) | Expr::List(_) | Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => {
            "a value".to_owned()
        }
    }
}
