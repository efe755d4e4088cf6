//! Responses over a WebSocket.
#![no_main]

tollgate_fuzz::target!(websocket);
