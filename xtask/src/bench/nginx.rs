//! The floor: nginx as a plain reverse proxy, one worker, streaming.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use anyhow::{Context, Result};

use super::process::Pinned;
use super::run::Target;
use crate::tools::which;

/// Starts nginx on core 0.
pub(crate) fn start(upstream: &str, scratch: &Path) -> Result<Target> {
    // A free port: bound, read, let go. nginx cannot pick one itself.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let folder = scratch.join("nginx");
    fs::create_dir_all(&folder)?;
    let file = folder.join("nginx.conf");
    fs::write(&file, config(upstream, port, &folder))?;
    let program = which("nginx").context("nginx is not installed")?;
    let args = [
        "-p",
        &folder.to_string_lossy(),
        "-c",
        &file.to_string_lossy(),
    ]
    .map(str::to_owned);
    let mut nginx = Pinned::start(0, &program, &args, scratch, "nginx")?;
    let address = format!("127.0.0.1:{port}");
    nginx.wait_for("listening", || TcpStream::connect(&address).ok())?;
    Ok(Target::running(
        "nginx",
        "nginx `proxy_pass`, `proxy_buffering off`",
        nginx,
        &address,
        "none",
    ))
}

fn config(upstream: &str, port: u16, folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "daemon off;\n\
         worker_processes 1;\n\
         user root;\n\
         pid {folder}/pid;\n\
         error_log stderr crit;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n\
           access_log off;\n\
           keepalive_requests 1000000000;\n\
           client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;\n\
           uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;\n\
           upstream vendor {{ server {upstream}; keepalive 512; keepalive_requests 1000000000; }}\n\
           server {{\n\
             listen 127.0.0.1:{port};\n\
             location / {{\n\
               proxy_pass http://vendor;\n\
               proxy_http_version 1.1;\n\
               proxy_set_header Connection \"\";\n\
               proxy_buffering off;\n\
             }}\n\
           }}\n\
         }}\n"
    )
}
