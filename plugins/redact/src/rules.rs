//! From rules to what becomes of each column of a stream.
//!
//! A column can be in for several rules, and the strictest action counts; so a rule more never means less redacted, and
//! the order of rules has no meaning. Scrubs of one column add up. What contradicts itself (two masks, one pattern name
//! with two meanings) or cannot be done (a key that is to change, numbers to be masked) is refused with the rule's place
//! in the settings.
//!
//! A column that a rule names must be there: a misspelt name is the way data gets out. One transform serves many streams,
//! so a glob or a mark that finds nothing in one of them is no error, unless it is `required`.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use globset::{Glob, GlobBuilder, GlobMatcher};
use sluice_guest::{DataType, Failure, Field, Schema, attribute, log};

use crate::mask::Mask;
use crate::scrub::{self, Pattern, Scrubber};
use crate::settings::{self, Settings};

/// The rules, checked as far as possible without a schema.
pub(crate) struct Rules(Vec<Rule>);

/// What becomes of a column.
pub(crate) enum Decision<'rules> {
    Drop,
    Null,
    Mask(&'rules Rc<Mask>),
    Scrub(Rc<Scrubber>),
}

struct Rule {
    /// Where it stands in the settings.
    index: usize,
    columns: Vec<NamePattern>,
    marks: Vec<String>,
    except: Vec<NamePattern>,
    required: Option<bool>,
    action: Action,
}

enum Action {
    Scrub(Vec<Rc<Pattern>>),
    Mask(Rc<Mask>),
    Null,
    Drop,
}

/// Of two actions the stricter is the greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Strictness {
    Scrub,
    Mask,
    Null,
    Drop,
}

/// A glob over column names.
struct NamePattern {
    glob: Glob,
    matcher: GlobMatcher,
}

/// How a rule selects a column.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Selected {
    /// By its very name.
    Named,
    /// By a glob or a mark, together with others.
    AmongOthers,
}

impl Rules {
    pub(crate) fn new(settings: Settings) -> Result<Self, Failure> {
        if settings.rules.is_empty() {
            return Err(Failure::settings("`rules` is empty: without a rule nothing is redacted"));
        }
        let rules = settings.rules.into_iter().enumerate().map(|(index, rule)| {
            Rule::new(index, rule).map_err(|failure| Failure::settings(format_args!("`rules[{index}]`: {failure}")))
        });
        rules.collect::<Result<_, _>>().map(Self)
    }

    /// What becomes of the columns that any rule selects, in the schema's order.
    pub(crate) fn decide<'schema>(&self, input: &'schema Schema) -> Result<Vec<(&'schema str, Decision<'_>)>, Failure> {
        for rule in &self.0 {
            rule.report_what_selects_nothing(input)?;
        }
        let mut scrubbers = BTreeMap::new();
        let mut left_alone = vec![Vec::new(); self.0.len()];
        let mut decisions = Vec::new();
        for field in &input.fields {
            let mut selecting: Vec<(&Rule, Selected)> =
                self.0.iter().filter_map(|rule| Some((rule, rule.selects(field)?))).collect();
            let Some(strictest) = selecting.iter().map(|(rule, _)| rule.action.strictness()).max() else { continue };
            selecting.retain(|(rule, _)| rule.action.strictness() == strictest);
            if strictest == Strictness::Scrub && !is_free_text(field) {
                // Many columns at once may well hold some that cannot hold what is looked for.
                selecting.retain(|(rule, selected)| {
                    if *selected == Selected::AmongOthers {
                        left_alone[rule.index].push(field.name.as_str());
                    }
                    *selected == Selected::Named
                });
            }
            let Some((first, _)) = selecting.first() else { continue };
            check_possible(first, field, input)?;
            let decision = match &first.action {
                Action::Drop => Decision::Drop,
                Action::Null => Decision::Null,
                Action::Mask(mask) => {
                    agree_on_mask(first, mask, &selecting, field)?;
                    Decision::Mask(mask)
                }
                Action::Scrub(_) => {
                    let together: Vec<usize> = selecting.iter().map(|(rule, _)| rule.index).collect();
                    let scrubber = match scrubbers.get(&together) {
                        Some(scrubber) => Rc::clone(scrubber),
                        None => Rc::new(scrubber(&selecting, field)?),
                    };
                    scrubbers.insert(together, Rc::clone(&scrubber));
                    Decision::Scrub(scrubber)
                }
            };
            decisions.push((field.name.as_str(), decision));
        }
        for (rule, columns) in self.0.iter().zip(left_alone).filter(|(_, columns)| !columns.is_empty()) {
            log::info(format_args!(
                "{rule} leaves {} columns of `{}` alone that do not hold free text: `{}`",
                columns.len(),
                input.name,
                columns.join("`, `")
            ));
        }
        Ok(decisions)
    }
}

impl Rule {
    fn new(index: usize, settings: settings::Rule) -> Result<Self, Failure> {
        if settings.columns.is_empty() && settings.marks.is_empty() {
            return Err(Failure::settings("selects nothing: give it `columns` or `marks`"));
        }
        let name_patterns =
            |globs: &[String]| globs.iter().map(|glob| NamePattern::new(glob)).collect::<Result<Vec<_>, _>>();
        Ok(Self {
            index,
            columns: name_patterns(&settings.columns)?,
            marks: settings.marks,
            except: name_patterns(&settings.except)?,
            required: settings.required,
            action: match settings.action {
                settings::Action::Drop => Action::Drop,
                settings::Action::Null => Action::Null,
                settings::Action::Mask(mask) => Action::Mask(Rc::new(Mask::new(mask)?)),
                settings::Action::Scrub(scrub) => Action::Scrub(scrub::patterns(scrub)?),
            },
        })
    }

    fn selects(&self, field: &Field) -> Option<Selected> {
        if self.except.iter().any(|except| except.matches(field)) {
            return None;
        }
        let mut matching = self.columns.iter().filter(|pattern| pattern.may_mean(field)).peekable();
        if matching.peek().is_none() && !self.marks.iter().any(|mark| field.has_mark(mark)) {
            return None;
        }
        Some(if matching.any(|pattern| pattern.is_name_of(field)) { Selected::Named } else { Selected::AmongOthers })
    }

    /// Refuses what selects nothing here and has to; makes the rest visible.
    fn report_what_selects_nothing(&self, input: &Schema) -> Result<(), Failure> {
        let is_idle = |pattern: &&NamePattern| !input.fields.iter().any(|field| pattern.may_mean(field));
        let idle: Vec<&NamePattern> = self.columns.iter().filter(is_idle).collect();
        if self.required.is_none()
            && let Some(absent) = idle.iter().find(|pattern| pattern.is_plain())
            && let Err(failure) = input.require(absent.glob.glob())
        {
            return Err(Failure::schema(format_args!(
                "{self}: {failure}; if not every stream has it, name those that have it in the transform's `streams`, or \
                 set `required = false` for the rule"
            )));
        }
        let text = |pattern: &&NamePattern| format!("`{}`", pattern.glob.glob());
        let mut selectors: Vec<String> = idle.iter().map(text).collect();
        let marks = self.marks.iter().filter(|mark| !input.fields.iter().any(|field| field.has_mark(mark)));
        selectors.extend(marks.map(|mark| format!("the mark `{mark}`")));
        if self.required == Some(true) && !selectors.is_empty() {
            return Err(Failure::schema(format_args!(
                "{self} is required, but no column of `{}` matches {}",
                input.name,
                selectors.join(", ")
            )));
        }
        selectors.extend(self.except.iter().filter(is_idle).map(|pattern| text(&pattern)));
        if !selectors.is_empty() {
            log::info(format_args!("{self}: no column of `{}` matches {}", input.name, selectors.join(", ")));
        }
        Ok(())
    }
}

/// As `rules[1]` (mask), to be found in the settings.
impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`rules[{}]` ({})", self.index, self.action)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Scrub(_) => "scrub",
            Self::Mask(_) => "mask",
            Self::Null => "null",
            Self::Drop => "drop",
        })
    }
}

impl Action {
    fn strictness(&self) -> Strictness {
        match self {
            Self::Scrub(_) => Strictness::Scrub,
            Self::Mask(_) => Strictness::Mask,
            Self::Null => Strictness::Null,
            Self::Drop => Strictness::Drop,
        }
    }
}

impl NamePattern {
    fn new(glob: &str) -> Result<Self, Failure> {
        let glob = GlobBuilder::new(glob)
            .case_insensitive(true)
            .build()
            .map_err(|error| Failure::settings(format_args!("`{glob}` is not a glob: {}", error.kind())))?;
        Ok(Self { matcher: glob.compile_matcher(), glob })
    }

    fn matches(&self, field: &Field) -> bool {
        self.matcher.is_match(&field.name)
    }

    /// Whether it matches a column, or the name that the column would have if no other property were spelled nearly the
    /// same: whoever wrote it may have meant this one. Both are redacted then.
    fn may_mean(&self, field: &Field) -> bool {
        self.matches(field)
            || field.attributes.get(attribute::SHARED_NAME).is_some_and(|name| self.matcher.is_match(name))
    }

    /// Whether it can only mean a column of this very name.
    fn is_plain(&self) -> bool {
        !self.glob.glob().contains(['*', '?', '[', '{', '\\'])
    }

    fn is_name_of(&self, field: &Field) -> bool {
        self.glob.glob().eq_ignore_ascii_case(&field.name)
    }
}

/// Whether a column holds text that people write, and not ids.
fn is_free_text(field: &Field) -> bool {
    field.data_type == DataType::Text
        && !field.is_key()
        && field.references().is_none()
        && field.attributes.get(attribute::OBJECT_TYPE).is_none()
}

/// Refuses what a rule cannot do to a column.
fn check_possible(rule: &Rule, field: &Field, input: &Schema) -> Result<(), Failure> {
    let (column, table) = (&field.name, &input.name);
    if field.is_key() {
        return Err(Failure::schema(format_args!(
            "{rule} selects column `{column}` of `{table}`, which is part of the table's key and must stay as it is: leave \
             it out with `except`; to replace ids, use `remap-ids`"
        )));
    }
    let needs_text = matches!(rule.action, Action::Mask(_) | Action::Scrub(_));
    if needs_text && field.data_type != DataType::Text {
        return Err(Failure::schema(format_args!(
            "{rule} selects column `{column}` of `{table}`, which holds {}, not text: use `null` or `drop` for it, or leave \
             it out with `except`",
            field.data_type
        )));
    }
    Ok(())
}

/// Refuses two masks for one column.
fn agree_on_mask(first: &Rule, mask: &Mask, rules: &[(&Rule, Selected)], field: &Field) -> Result<(), Failure> {
    for (other, _) in rules {
        if matches!(&other.action, Action::Mask(theirs) if **theirs != *mask) {
            return Err(Failure::schema(format_args!(
                "{first} and {other} mask column `{}` in different ways: leave it out of one of them with `except`",
                field.name
            )));
        }
    }
    Ok(())
}

/// The patterns of several scrubs together.
fn scrubber(rules: &[(&Rule, Selected)], field: &Field) -> Result<Scrubber, Failure> {
    let mut together: Vec<(&Rule, Rc<Pattern>)> = Vec::new();
    for (rule, _) in rules {
        let Action::Scrub(patterns) = &rule.action else { continue };
        for pattern in patterns {
            match together.iter().find(|(_, other)| other.name == pattern.name) {
                None => together.push((rule, Rc::clone(pattern))),
                Some((_, other)) if other.is_same_as(pattern) => {}
                Some((other, _)) => {
                    return Err(Failure::schema(format_args!(
                        "{other} and {rule} scrub column `{}` with different patterns or replacements named `{}`",
                        field.name, pattern.name
                    )));
                }
            }
        }
    }
    Ok(Scrubber::new(together.into_iter().map(|(_, pattern)| pattern).collect()))
}
