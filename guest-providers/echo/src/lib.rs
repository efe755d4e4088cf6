//! Provider component: echo.
