use proptest::prelude::*;

use super::*;

const A: &str = "4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04";
const B: &str = "11111111-70f4-4e1e-9ff1-b2bfce8d9f04";
const OTHER: &str = "22222222-70f4-4e1e-9ff1-b2bfce8d9f04";

fn read(text: &str) -> (Vec<String>, Vec<String>) {
    let list = parse(text.as_bytes()).unwrap_or_else(|fault| panic!("{text}: {fault}"));
    (
        list.ids.iter().map(ToString::to_string).collect(),
        list.faults,
    )
}

#[track_caller]
fn names_both(text: &str) {
    let (ids, faults) = read(text);
    assert_eq!(ids, [A, B], "{text}");
    assert_eq!(faults, [""; 0], "{text}");
}

fn refused(text: &str) -> String {
    match parse(text.as_bytes()) {
        Err(fault) => fault.to_string(),
        Ok(list) => panic!("{text}: {list:?}"),
    }
}

#[test]
fn every_way_to_write_a_list_gives_the_same_customers() {
    for text in [
        format!("{A}\n{B}\n"),
        format!("\u{feff}# ours\r\n\r\n{}\r\n{B}", A.to_uppercase()),
        format!("{{{A}}},\n\"{B}\",\n"),
        format!("{A}  # Contoso\n- {B} Fabrikam, Inc.\n"),
        format!("{A}\r\r{B}\r\u{1a}"),
        format!("customer_id\n{A}\n{B}\n"),
        format!("CustomerId\r\n----------\r\n{A}\r\n{B}\r\n\r\n"),
        format!("Id\n{A}\n{B}\n"),
        format!("name,customer_id\nContoso,{A}\n\"Fabrikam, Inc.\",{B}\n"),
        format!("Customer_ID;Name\r\n{A};x\r\n{B};y\r\n"),
        format!("sep=;\r\nName;Customer ID\r\nx;{A}\r\ny, z;{B}\r\n"),
        format!("\"SEP=|\"\nname|tenant id\nx|{A}\ny|{B}"),
        format!("sep=\t\nname\tTenantId\nx\t{A}\ny\t{B}"),
        format!(
            "#TYPE Selected.System.Object\n\"CustomerId\",\"Name\"\n\"{A}\",\"x\"\n\"{B}\",\"y\"\n"
        ),
        format!(
            "Microsoft ID,Company name,Primary domain name,Relationship,Tags\n\
             {A},\"x, y\",x.example,Reseller,\n{B},z,,,\n"
        ),
        format!("Company name,Microsoft ID\n\"two\nlines, \"\"quoted\"\"\",{A}\n'z,{B}\n"),
        format!("Customers of 2026-11-28\n\nName;Customer tenant ID\nx;{A}\ny;{B}\nTotal;2\n"),
        format!("#;Customer-Tenant-Id\n1;{A}\n2;{B}\n"),
        format!("displayName,id,defaultDomainName\nx,{A},x.example\ny,{B},y.example\n"),
        format!("id,customerId,displayName\n{OTHER},{A},x\n{OTHER},{B},y\n"),
        format!("TenantId,CustomerId\n{A},{A}\n{B},{B}\n"),
        format!("CustomerId,Customer tenant ID\n10023,{A}\n10024,{B}\n"),
        format!("customer_id,TenantId\n{A},{OTHER}\n{B},{OTHER}\n"),
        format!("Contoso;{A};x.example\nFabrikam;{B};y.example\n"),
        format!("{A},Contoso\n{B},\"Fabrikam, Inc.\"\n"),
        format!("Name,customer_id,,,\nx,{A},,,\ny,{B},,,\n,,,,\n"),
        format!("| Name | Tenant ID |\n|---|---|\n| x | {A} |\n| y | {B} |\n"),
        format!("name,customer_id\nx,{A}\nname,customer_id\ny,{B}\n"),
        format!(
            "\r\nName       CustomerId\r\n----       ----------\r\n\
             x y z      {A}\r\nb          {B}\r\n\r\n"
        ),
        format!("name,customer_id\nx,\"=\"\"{A}\"\"\"\ny,urn:uuid:{B}\n"),
        format!("customer_id\n{A}\n{B}\n\n(2 rows affected)\n"),
        format!("customer_id\n{A}\n\u{feff}customer_id\n{B}\n"),
        format!("\u{ef}\u{bb}\u{bf}customer_id,name\n{A},x\n{B},y\n"),
        format!("\"Name;customer_id\"\n\"\"\"x; y\"\";{A}\"\n\"y;{B}\"\n"),
        format!(
            "\r\nName       : x\r\nCustomerId : {A}\r\nNotes      : a b\r\n             c\r\n\r\n\
             Name       : y\r\nCustomerId : {B}\r\n"
        ),
        format!("Name;Customer AAD tenant ID\nx;{A}\ny;{B}\nTotal;2\n;;;\n"),
        format!("a,customer_id,b\nx,{A}\ny,{B},z,,\n"),
    ] {
        names_both(&text);
    }
}

#[test]
fn a_line_that_names_no_customer_is_a_fault_with_its_number_and_the_others_are_read() {
    let not_a_guid = "is not a GUID such as 4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04";
    for (text, fault) in [
        (
            format!("{A}\nContoso\n"),
            format!("line 2: \"Contoso\" {not_a_guid}"),
        ),
        (
            format!("Contoso\n{A}"),
            format!("line 1: \"Contoso\" {not_a_guid}"),
        ),
        (
            format!("{A}\n// {B}\n"),
            format!("line 2: \"// {B}\" {not_a_guid}"),
        ),
        (format!("{A}\n{B} {OTHER}\n"), "line 2: ".to_owned()),
        (
            format!("\r\n# ours\r\ncustomer_id\r\n{A}\r\n\r\n# and\r\nx\r\n"),
            "line 7: ".to_owned(),
        ),
        (
            format!("customer_id,name\n{A},x\n,y\n"),
            format!("line 3: \"\" {not_a_guid}"),
        ),
        (
            format!("name,customer_id\n{B}\nx,{A}\n"),
            "line 2: \"\" is not a GUID".to_owned(),
        ),
        (
            format!("name,customer_id\nTail, Inc.,{B}\nx,{A}\n"),
            "line 2: \"Inc.\" is not a GUID".to_owned(),
        ),
        (
            format!("name,partner,customer_id\nTail, Inc.,{OTHER},{B}\nx,{OTHER},{A}\n"),
            "line 2: the line has 4 cells, and 3 are wanted".to_owned(),
        ),
        (
            format!("name,customer_id\n\"Tail,{B}\n\"x\",{A}\n"),
            "line 2: a quote in it is not closed".to_owned(),
        ),
        (
            format!("name,customer_id\n\"Ta\"il,{B}\n\"x\ny\",{A}\n"),
            "line 2: there is text between a closing quote".to_owned(),
        ),
        (
            format!("CustomerId,TenantId\n{A},{A}\n{B},{OTHER}\n"),
            "line 3: its columns name different".to_owned(),
        ),
        (
            format!("{A}\n00000000-0000-0000-0000-000000000000\n"),
            "line 2: \"00000000-0000-0000-0000-000000000000\" is a placeholder".to_owned(),
        ),
        (
            format!("name,customer_id\n\"two\nlines\",{A}\ny,none\n"),
            "line 4: \"none\" is".to_owned(),
        ),
        (
            format!("{A}\nTotal\nx\n{A}"),
            "line 2: \"Total\" is".to_owned(),
        ),
    ] {
        let (ids, faults) = read(&text);
        assert!(
            !ids.is_empty() && ids.iter().all(|id| id == A),
            "{text}: {ids:?}"
        );
        assert!(faults[0].starts_with(&fault), "{text}: {faults:?}");
    }
    let (_, faults) = read(&format!("{A}\n\u{1b}[2J\0{}", "x".repeat(200)));
    assert!(
        faults[0].len() < 160 && !faults[0].contains(['\u{1b}', '\0']),
        "{faults:?}"
    );
}

#[test]
fn bytes_of_any_encoding_cost_no_line_whose_guid_can_be_read() {
    let ansi = [
        b"Kunde;Microsoft-ID\r\nM\xfcller & S\xf6hne;",
        A.as_bytes(),
        b"\r\nx;",
        B.as_bytes(),
    ]
    .concat();
    let list = parse(&ansi).unwrap();
    assert_eq!((list.ids.len(), list.faults.len()), (2, 0));
    let wide: Vec<u8> =
        format!("\u{feff}CustomerId\tName\r\n{A}\t\u{4e2d}\u{56fd}\u{4e0a}\u{6d77}\r\n{B}\tx\r\n")
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
    for bytes in [&wide[..], &wide[2..]] {
        let list = parse(bytes).unwrap();
        assert_eq!((list.ids.len(), list.faults.len()), (2, 0));
    }
}

#[test]
fn a_file_that_is_no_list_is_one_error_that_says_what_was_found() {
    for (text, told) in [
        ("Name,Domain\nx,y\n".to_owned(), "customer_id"),
        (
            format!("Name,Domain,Subscription\nx,y,{A}\n"),
            "its columns are \"Name\", \"Domain\", \"Subscription\"",
        ),
        (
            format!("id,subscription\n{A},{B}\n"),
            "its columns are \"id\", \"subscription\"",
        ),
        (
            format!("CustomerId,TenantId\n{A},{B}\n"),
            "\"CustomerId\" and \"TenantId\", which differ, first in line 2",
        ),
        (format!("{A};x;{B}\n"), "columns 1 and 3"),
        (String::new(), "names no customer"),
        ("# nobody yet\n\n".to_owned(), "names no customer"),
        ("customer_id,name\r\n".to_owned(), "names no customer"),
        ("\0\0\0\0".to_owned(), "zero bytes"),
        ("PK\u{3}\u{4}".to_owned(), "CSV UTF-8"),
        ("<!DOCTYPE html><html>".to_owned(), "web page"),
        (format!("[ {{ \"id\": \"{A}\" }} ]"), "JSON"),
        (format!("[\"{A}\"]"), "JSON"),
    ] {
        let fault = refused(&text);
        assert!(fault.contains(told), "{text}: {fault}");
    }
}

proptest! {
    #[test]
    fn parsing_any_file_does_not_panic(text in "[ab4\",;|\t\n\r #=-]{0,80}", bytes: Vec<u8>) {
        let _answers = (parse(text.as_bytes()).is_ok(), parse(&bytes).is_ok());
    }

    /// Whatever one line is, the customers of the others are read.
    #[test]
    fn one_bad_line_costs_itself_alone(bad in "[^\n\r\u{b}\u{85}\u{2028}\u{2029}]{0,40}") {
        for (header, row) in [("", ""), ("name,customer_id\n", "x,")] {
            let text = format!("{header}{row}{A}\n{bad}\n{row}{B}\n");
            let list = parse(text.as_bytes()).unwrap();
            let ids: Vec<String> = list.ids.iter().map(ToString::to_string).collect();
            let has_both = ids.contains(&A.to_owned()) && ids.contains(&B.to_owned());
            prop_assert!(has_both, "{:?}: {:?}", text, ids);
        }
    }
}
