//! Prefix expressions: `!{namespace:value}` between literal text.

use jiff::tz::TimeZone;

use super::drawn::Draws;
use super::error::{Field, KeyTemplateError};
use super::pattern::{Moment, Pattern};
use crate::model::limits;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Time(Pattern),
    RandomString,
    ErrorOutputType,
}

/// The longest of Firehose's error types: what an evaluated ErrorOutputPrefix is measured with.
pub const ERROR_OUTPUT_TYPE_LONGEST: &str = "AmazonOpenSearchService-failed";

impl Expression {
    pub fn parse(field: Field, text: &str) -> Result<Expression, KeyTemplateError> {
        if limits::FIREHOSE_PREFIX_CHARACTERS_MAX < text.chars().count() {
            return Err(KeyTemplateError::TooLong(field));
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once("!{") {
            let misused = KeyTemplateError::InvalidExpression(field);
            let (inside, behind) = after.split_once('}').ok_or(misused.clone())?;
            let (namespace, value) = inside.split_once(':').ok_or(misused.clone())?;
            if inside.contains("!{") {
                return Err(misused);
            }
            if !literal.is_empty() {
                pieces.push(Piece::Literal(literal.to_owned()));
            }
            pieces.push(Piece::parse(field, namespace, value)?);
            rest = behind;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Literal(rest.to_owned()));
        }
        let expression = Expression(pieces);
        let names_type = expression.0.contains(&Piece::ErrorOutputType);
        let lacks_type = !expression.is_literal() && !names_type;
        if field == Field::ErrorOutputPrefix && lacks_type {
            return Err(KeyTemplateError::ErrorOutputTypeMissing);
        }
        Ok(expression)
    }

    pub fn is_literal(&self) -> bool {
        let literal = |piece: &Piece| matches!(piece, Piece::Literal(_));
        self.0.iter().all(literal)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn push_error_output_type(&mut self) {
        self.0.push(Piece::ErrorOutputType);
        self.0.push(Piece::Literal("/".to_owned()));
    }

    pub fn push_time(&mut self, pattern: Pattern) {
        self.0.push(Piece::Time(pattern));
    }

    /// `error` is what failed, where this is the prefix of a failed output.
    pub fn evaluate(&self, moment: &Moment, draws: &mut Draws, error: &str) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Time(pattern) => pattern.write(moment, &mut text),
                Piece::RandomString => text.push_str(&draws.random_string()),
                Piece::ErrorOutputType => text.push_str(error),
            }
        }
        text
    }

    /// How long it can become.
    pub fn characters_max(&self, time_zone: &TimeZone) -> usize {
        let length = |moment| {
            let text = self.evaluate(&moment, &mut Draws::widest(), ERROR_OUTPUT_TYPE_LONGEST);
            text.chars().count()
        };
        Moment::widest(time_zone).map(length).max().unwrap_or(0)
    }
}

impl Piece {
    fn parse(field: Field, namespace: &str, value: &str) -> Result<Piece, KeyTemplateError> {
        match (namespace, value) {
            ("timestamp", pattern) => Pattern::parse(pattern)
                .map(Piece::Time)
                .ok_or(KeyTemplateError::InvalidConversion(field)),
            ("firehose", "random-string") => Ok(Piece::RandomString),
            ("firehose", "error-output-type") if field == Field::Prefix => {
                Err(KeyTemplateError::ErrorOutputTypeInPrefix)
            }
            ("firehose", "error-output-type") => Ok(Piece::ErrorOutputType),
            ("firehose", _) => Err(KeyTemplateError::InvalidConversion(field)),
            ("partitionKeyFromQuery" | "partitionKeyFromLambda", _) => Err(match field {
                Field::Prefix => KeyTemplateError::PartitionInPrefix,
                Field::ErrorOutputPrefix | Field::TimeZone => {
                    KeyTemplateError::PartitionInErrorOutputPrefix
                }
            }),
            (unknown, _) => Err(KeyTemplateError::UnknownNamespace {
                field,
                namespace: unknown.to_owned(),
            }),
        }
    }
}
