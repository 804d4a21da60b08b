//! Parses whole numbers from the text of JSON numbers, exactly. The API sometimes sends integers as
//! `206.0`, and parsing them as a float would round numbers of more than 53 bits.

/// Why a JSON number is not a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::partner_center) enum CountError {
    #[error("is negative")]
    Negative,
    #[error("is not a whole number")]
    Fraction,
    #[error("is over 63 bits")]
    TooLarge,
}

/// Parses the text of a JSON number. `5`, `5.0`, `50e-1` and `-0` are whole.
pub(in crate::partner_center) fn parse_count(number: &str) -> Result<i64, CountError> {
    // The fast path for the usual form. A number of 18 digits always fits.
    let whole = number.strip_suffix(".0").unwrap_or(number);
    if (1..=18).contains(&whole.len()) && whole.bytes().all(|byte| byte.is_ascii_digit()) {
        let digits = whole.bytes().map(|byte| i64::from(byte - b'0'));
        return Ok(digits.fold(0, |number, digit| number * 10 + digit));
    }
    let (negative, number) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number),
    };
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    if negative {
        return Err(CountError::Negative);
    }
    // The value is 0.SIGNIFICANT times ten to the power of `point`. Of an exponent beyond 64 bits
    // only the sign matters.
    let exponent = exponent
        .parse::<i64>()
        .unwrap_or(if exponent.starts_with('-') {
            i64::MIN
        } else {
            i64::MAX
        });
    let leading_zeros = digits.len() - digits.trim_start_matches('0').len();
    let point = i64::try_from(whole.len())
        .unwrap_or(i64::MAX)
        .saturating_sub(i64::try_from(leading_zeros).unwrap_or(i64::MAX))
        .saturating_add(exponent);
    let length = i64::try_from(significant.len()).unwrap_or(i64::MAX);
    if point < length {
        return Err(CountError::Fraction);
    }
    // i64::MAX has 19 digits.
    if point > 19 {
        return Err(CountError::TooLarge);
    }
    let zeros = usize::try_from(point - length).unwrap_or(0);
    format!("{significant}{}", "0".repeat(zeros))
        .parse()
        .map_err(|_| CountError::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whole_numbers_are_read_in_every_notation() {
        for (text, count) in [
            ("0", 0),
            ("-0", 0),
            ("-0.0", 0),
            ("0e5", 0),
            ("206.0", 206),
            ("5", 5),
            ("50e-1", 5),
            ("5E+2", 500),
            ("0.5e1", 5),
            ("1.20e1", 12),
            ("9007199254740993", 9_007_199_254_740_993),
            ("9223372036854775807", i64::MAX),
            ("9223372036854775807.000", i64::MAX),
        ] {
            assert_eq!(parse_count(text), Ok(count), "{text}");
        }
    }

    #[test]
    fn other_numbers_are_refused_with_the_reason() {
        for (text, reason) in [
            ("-1", CountError::Negative),
            ("-1.5", CountError::Negative),
            ("0.5", CountError::Fraction),
            ("5.01", CountError::Fraction),
            ("5e-1", CountError::Fraction),
            ("1e-99999999999999999999", CountError::Fraction),
            ("9223372036854775808", CountError::TooLarge),
            ("1e19", CountError::TooLarge),
            ("1e99999999999999999999", CountError::TooLarge),
        ] {
            assert_eq!(parse_count(text), Err(reason), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_count_survives_being_written_and_read(count in 0..=i64::MAX, zeros in 0usize..4) {
            prop_assert_eq!(parse_count(&format!("{count}.{}", "0".repeat(zeros + 1))), Ok(count));
            prop_assert_eq!(parse_count(&count.to_string()), Ok(count));
        }
    }
}
