//! Reads PEM files: certificates and private keys between `-----BEGIN` and `-----END` lines. Brings
//! them into the form that parsers accept, and recognises other formats of certificates and keys.
//! No error quotes a key.

use std::path::Path;

use secrecy::zeroize::Zeroizing;

use super::{FileReadError, MAX_DOCUMENT_BYTES, decode, is_invisible, read};

const PKCS12: &str = "is a PKCS#12 file (.pfx, .p12) and not PEM; \
     convert it: openssl pkcs12 -in FILE -noenc -out client_certificate.pem";

const DER_CERTIFICATE: &str = "is a certificate in DER (.cer, .crt) and not PEM, and without a \
     private key; convert it: openssl x509 -inform der -in FILE -out certificate.pem";

const DER_KEY: &str = "is a private key in DER and not PEM; \
     convert it: openssl pkey -inform der -in FILE -out key.pem";

const IN_BASE64: &str = "is Base64 without -----BEGIN lines and not PEM, as Azure Key Vault \
     exports it; convert it: base64 -d FILE | openssl pkcs12 -noenc -out client_certificate.pem";

/// The text of a PEM file, with each line trimmed.
pub(crate) fn load(path: &Path) -> Result<Zeroizing<String>, FileReadError> {
    let bytes = read(path, MAX_DOCUMENT_BYTES)?;
    text(&bytes)
}

/// The same as bytes. A file that is not PEM is returned unchanged, so that its parser reports the
/// fault.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>, FileReadError> {
    let bytes = read(path, MAX_DOCUMENT_BYTES)?;
    Ok(match text(&bytes) {
        Ok(text) => text.as_bytes().to_vec(),
        Err(_) => bytes.to_vec(),
    })
}

fn text(bytes: &[u8]) -> Result<Zeroizing<String>, FileReadError> {
    if let Some(problem) = der(bytes) {
        return Err(FileReadError::Unsuitable(problem.to_owned()));
    }
    let text = decode(bytes)?;
    let mut text = Zeroizing::new(text.as_str().to_owned());
    // On one line, as in an environment variable or in JSON.
    if text.contains("-----BEGIN ") && !text.trim().contains('\n') {
        text = Zeroizing::new(text.replace("\\r", "").replace("\\n", "\n"));
    }
    let mut lines = Zeroizing::new(String::with_capacity(text.len()));
    for line in text.lines() {
        lines.push_str(line.trim_matches(|c: char| c.is_whitespace() || is_invisible(c)));
        lines.push('\n');
    }
    let problem = if lines.trim().is_empty() {
        "is empty"
    } else if lines.contains("-----BEGIN ") {
        return Ok(lines);
    } else if lines.trim_start().starts_with('<') {
        "is a web page and not PEM"
    } else if is_base64(&lines) {
        IN_BASE64
    } else {
        "is not PEM: it has no -----BEGIN line"
    };
    Err(FileReadError::Unsuitable(problem.to_owned()))
}

/// What the bytes are if they are an ASN.1 sequence, the content of PEM.
fn der(bytes: &[u8]) -> Option<&'static str> {
    // The length after the first byte is indefinite, or takes one or two further bytes.
    let ([0x30, 0x82, _, _, content @ ..]
    | [0x30, 0x81, _, content @ ..]
    | [0x30, 0x80, content @ ..]) = bytes
    else {
        return None;
    };
    // PKCS#12 starts with the integer 3, a private key with 0 or 1, a certificate with another
    // sequence.
    Some(match content {
        [0x02, 0x01, 0x03, ..] => PKCS12,
        [0x02, 0x01, ..] => DER_KEY,
        _ => DER_CERTIFICATE,
    })
}

fn is_base64(text: &str) -> bool {
    text.starts_with("MI")
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '\n'))
}

/// Why the text of a PEM file has no usable private key, if one of its markers shows it.
pub(crate) fn key_problem(text: &str) -> Option<&'static str> {
    const REASONS: [(&str, &str); 8] = [
        (
            "BEGIN ENCRYPTED PRIVATE KEY",
            "its private key is encrypted; decrypt it: openssl pkey -in FILE -out key.pem",
        ),
        (
            "Proc-Type: 4,ENCRYPTED",
            "its private key is encrypted; decrypt it: openssl rsa -in FILE -out key.pem",
        ),
        (
            "BEGIN OPENSSH PRIVATE KEY",
            "its private key is in OpenSSH format; convert it: ssh-keygen -p -m PKCS8 -f FILE",
        ),
        (
            "BEGIN EC PRIVATE KEY",
            "its private key is an elliptic curve key, and an RSA key is needed",
        ),
        (
            "BEGIN PKCS7",
            "it holds PKCS#7 (.p7b), which contains no private key",
        ),
        (
            "BEGIN CERTIFICATE REQUEST",
            "it holds a certificate request and no private key",
        ),
        (
            "BEGIN NEW CERTIFICATE REQUEST",
            "it holds a certificate request and no private key",
        ),
        (
            "BEGIN PUBLIC KEY",
            "it holds a public key and no private one",
        ),
    ];
    REASONS
        .iter()
        .find(|(mark, _)| text.contains(mark))
        .map(|(_, problem)| *problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nMIIB\nAAAA\n-----END CERTIFICATE-----\n";

    fn told(bytes: &[u8]) -> String {
        text(bytes).unwrap_err().to_string()
    }

    #[test]
    fn pem_is_read_in_every_form_in_which_it_is_saved() {
        let wide: Vec<u8> = format!("\u{feff}{PEM}")
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        for bytes in [
            PEM.as_bytes().to_vec(),
            format!("\u{feff}{}", PEM.replace('\n', "\r\n")).into_bytes(),
            PEM.replace('\n', "\r").into_bytes(),
            PEM.replace('\n', "  \n    ").into_bytes(),
            PEM.trim_end().replace('\n', "\\n").into_bytes(),
            wide,
        ] {
            let read = text(&bytes).unwrap();
            assert_eq!(read.trim_end(), PEM.trim_end());
        }
        let with_attributes = format!("Bag Attributes\n    friendlyName: x\n{PEM}");
        assert!(
            text(with_attributes.as_bytes())
                .unwrap()
                .contains("\nMIIB\n")
        );
    }

    #[test]
    fn other_formats_are_recognised() {
        assert!(told(b"\x30\x82\x0a\x01\x02\x01\x03\x30").contains("openssl pkcs12"));
        assert!(told(b"\x30\x80\x02\x01\x03\x30\x80").contains("openssl pkcs12"));
        assert!(told(b"\x30\x82\x03\x01\x30\x82\x01").contains("openssl x509"));
        assert!(told(b"\x30\x82\x04\xa4\x02\x01\0\x02").contains("openssl pkey"));
        assert!(told(b"MIIKcQIBAzCCCi0G\nCSqGSIb3\n").contains("Key Vault"));
        assert!(told(b"").contains("empty"));
        assert!(told(b"subject=CN = x").contains("-----BEGIN"));
        assert!(told(b"<html>").contains("web page"));
        let problem = key_problem("-----BEGIN ENCRYPTED PRIVATE KEY-----");
        assert!(problem.unwrap().contains("encrypted"));
        assert_eq!(key_problem(PEM), None);
    }
}
