//! What a browser sees at `/`: what this is, and where to go on.

use axum::response::Html;

/// The page. It holds nothing about this installation: it is shown to whoever can connect.
pub(crate) async fn page() -> Html<&'static str> {
    Html(PAGE)
}

const PAGE: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Tollgate management</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem}code{background:#8883;padding:.1em .3em}</style>
<h1>Tollgate</h1>
<p>This is the management listener of a Tollgate AI gateway. It speaks JSON to bearers of a management token;
model traffic goes to the other listener.</p>
<ul>
<li>What can be asked here: <a href="/api/openapi.json">/api/openapi.json</a> (OpenAPI 3.1)
<li>On the command line: <code>tollgate --help</code>
<li>How it is: <code>tollgate doctor</code>
</ul>
"#;
