//! Functions over plain HTTP, good and bad.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use serde_json::{Value, json};

/// Answers an event with a status and a document.
pub type Function = fn(&Value) -> (u16, Value);

/// Serves until the test's process ends.
pub fn serve(function: Function) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = BufReader::new(connection.unwrap());
            while let Some(event) = event(&mut connection) {
                let (status, answer) = function(&event);
                let body = answer.to_string();
                let head = format!(
                    "HTTP/1.1 {status} It\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                let connection = connection.get_mut();
                connection
                    .write_all(format!("{head}{body}").as_bytes())
                    .unwrap();
            }
        }
    });
    address
}

fn event(connection: &mut BufReader<TcpStream>) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        connection
            .read_line(&mut line)
            .ok()
            .filter(|read| 0 < *read)?;
        match line.trim_end() {
            "" => break,
            line => {
                if let Some(value) = line.strip_prefix("content-length: ") {
                    length = value.parse().unwrap();
                }
            }
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).unwrap();
    Some(serde_json::from_slice(&body).unwrap())
}

fn each(event: &Value, answer: impl Fn(usize, &Value) -> Value) -> (u16, Value) {
    let records = event["records"].as_array().unwrap().iter().enumerate();
    let records: Vec<_> = records.map(|(n, record)| answer(n, record)).collect();
    (200, json!({ "records": records }))
}

/// Keeps most as it is, drops what is empty, and fails what is not text.
pub fn good(event: &Value) -> (u16, Value) {
    each(event, |_, record| {
        let result = match record["data"].as_str().unwrap() {
            "" => "Dropped",
            data if data.starts_with("//79") => "ProcessingFailed",
            _ => "Ok",
        };
        json!({ "recordId": record["recordId"], "result": result, "data": record["data"] })
    })
}

/// Wrong in a way of its own for each trial.
pub fn bad(event: &Value) -> (u16, Value) {
    let records = event["records"].as_array().unwrap();
    let first = records[0]["data"].as_str().unwrap();
    match (records.len(), first) {
        // Samples.
        (3, _) => each(event, |n, record| match n {
            0 => json!({ "recordId": record["recordId"], "result": "ok", "data": "QQ==" }),
            1 => json!({ "recordId": record["recordId"], "result": "Ok" }),
            _ => json!({ "recordId": "17", "result": "Ok", "data": "QQ==" }),
        }),
        (1, "") => (
            500,
            json!({ "errorType": "KeyError", "errorMessage": "'level'" }),
        ),
        (1, data) if data.len() < 1_000 => (200, json!("none")),
        (1, _) => (413, json!({})),
        // Content in place of an id.
        (10, _) => each(
            event,
            |_, _| json!({ "recordId": records[0]["recordId"], "result": "Dropped" }),
        ),
        (12, _) => (413, json!({})),
        (_, _) => each(event, |n, record| {
            let data = if n == 4 { "no base64" } else { "QQ==" };
            json!({ "recordId": record["recordId"], "result": "Ok", "data": data })
        }),
    }
}
