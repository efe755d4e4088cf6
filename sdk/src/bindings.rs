//! Generated bindings: one module for everything the host offers, one for each interface a guest may export.
//!
//! Each exported interface is generated from a world of its own, so a component that lists two interfaces in
//! [`export!`](crate::export) carries the type information and the exports of those two and of nothing else.
//! What they share (resources of the host, `denial`) is generated once, in [`host`].
#![allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "generated from wit/: crossing the component boundary is what this module is for"
)]

/// Everything the host offers.
pub mod host {
    wit_bindgen::generate!({
        path: "../wit/0.1.0",
        inline: "package tollgate:sdk-host; world sdk-host {
            import tollgate:extension/log@0.1.0;
            import tollgate:extension/clock@0.1.0;
            import tollgate:extension/credential@0.1.0;
            import tollgate:extension/request@0.1.0;
            import tollgate:extension/call@0.1.0;
            import tollgate:extension/outgoing@0.1.0;
            import tollgate:extension/segments@0.1.0;
            import tollgate:extension/candidates@0.1.0;
            import tollgate:extension/outcomes@0.1.0;
            import tollgate:extension/verdicts@0.1.0;
            import tollgate:extension/failures@0.1.0;
        }",
        pub_export_macro: true,
        generate_all,
        generate_unused_types: true,
        additional_derives: [PartialEq, Eq],
    });
}

/// The export `manifest`.
pub mod manifest {
    wit_bindgen::generate!({
        path: "../wit/0.1.0",
        inline: "package tollgate:sdk-manifest; world sdk-manifest { export tollgate:extension/manifest@0.1.0; }",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "tollgate_guest::bindings::manifest",
        additional_derives: [PartialEq, Eq],
        with: {
            "tollgate:extension/manifest@0.1.0": generate,
        },
    });

    /// What `export!` asks of the type it is given.
    pub const fn implemented_by<T: crate::Manifest>() {}
}

/// The export `exchange`.
pub mod exchange {
    wit_bindgen::generate!({
        path: "../wit/0.1.0",
        inline: "package tollgate:sdk-exchange; world sdk-exchange { export tollgate:extension/exchange@0.1.0; }",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "tollgate_guest::bindings::exchange",
        additional_derives: [PartialEq, Eq],
        with: {
            "tollgate:extension/call@0.1.0": crate::bindings::host::tollgate::extension::call,
            "tollgate:extension/failures@0.1.0": crate::bindings::host::tollgate::extension::failures,
            "tollgate:extension/exchange@0.1.0": generate,
        },
    });

    /// What `export!` asks of the type it is given.
    pub const fn implemented_by<T: crate::Exchange>() {}
}

/// The export `signing`.
pub mod signing {
    wit_bindgen::generate!({
        path: "../wit/0.1.0",
        inline: "package tollgate:sdk-signing; world sdk-signing { export tollgate:extension/signing@0.1.0; }",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "tollgate_guest::bindings::signing",
        additional_derives: [PartialEq, Eq],
        with: {
            "tollgate:extension/call@0.1.0": crate::bindings::host::tollgate::extension::call,
            "tollgate:extension/outgoing@0.1.0": crate::bindings::host::tollgate::extension::outgoing,
            "tollgate:extension/signing@0.1.0": generate,
        },
    });

    /// What `export!` asks of the type it is given.
    pub const fn implemented_by<T: crate::Signing>() {}
}

/// The export `translation`.
pub mod translation {
    wit_bindgen::generate!({
        path: "../wit/0.1.0",
        inline: "package tollgate:sdk-translation; world sdk-translation { export tollgate:extension/translation@0.1.0; }",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "tollgate_guest::bindings::translation",
        additional_derives: [PartialEq, Eq],
        with: {
            "tollgate:extension/call@0.1.0": crate::bindings::host::tollgate::extension::call,
            "tollgate:extension/failures@0.1.0": crate::bindings::host::tollgate::extension::failures,
            "tollgate:extension/translation@0.1.0": generate,
        },
    });

    /// What `export!` asks of the type it is given.
    pub const fn implemented_by<T: crate::Translation>() {}
}

/// The export `capacity`.
pub mod capacity {
    wit_bindgen::generate!({
        path: "../wit/0.1.0",
        inline: "package tollgate:sdk-capacity; world sdk-capacity { export tollgate:extension/capacity@0.1.0; }",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "tollgate_guest::bindings::capacity",
        additional_derives: [PartialEq, Eq],
        with: {
            "tollgate:extension/call@0.1.0": crate::bindings::host::tollgate::extension::call,
            "tollgate:extension/capacity@0.1.0": generate,
        },
    });

    /// What `export!` asks of the type it is given.
    pub const fn implemented_by<T: crate::Capacity>() {}
}

/// The export `catalogue`.
pub mod catalogue {
    wit_bindgen::generate!({
        path: "../wit/0.1.0",
        inline: "package tollgate:sdk-catalogue; world sdk-catalogue { export tollgate:extension/catalogue@0.1.0; }",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "tollgate_guest::bindings::catalogue",
        additional_derives: [PartialEq, Eq],
        with: {
            "tollgate:extension/catalogue@0.1.0": generate,
        },
    });

    /// What `export!` asks of the type it is given.
    pub const fn implemented_by<T: crate::Catalogue>() {}
}

/// The export `responder`.
pub mod responder {
    wit_bindgen::generate!({
        path: "../wit/0.1.0",
        inline: "package tollgate:sdk-responder; world sdk-responder { export tollgate:extension/responder@0.1.0; }",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "tollgate_guest::bindings::responder",
        additional_derives: [PartialEq, Eq],
        with: {
            "tollgate:extension/call@0.1.0": crate::bindings::host::tollgate::extension::call,
            "tollgate:extension/responder@0.1.0": generate,
        },
    });

    /// What `export!` asks of the type it is given.
    pub const fn implemented_by<T: crate::Responder>() {}
}

/// The export `configuration`.
pub mod configuration {
    wit_bindgen::generate!({
        path: "../wit/0.1.0",
        inline: "package tollgate:sdk-configuration; world sdk-configuration { export tollgate:extension/configuration@0.1.0; }",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "tollgate_guest::bindings::configuration",
        additional_derives: [PartialEq, Eq],
        with: {
            "tollgate:extension/configuration@0.1.0": generate,
        },
    });

    /// What `export!` asks of the type it is given.
    pub const fn implemented_by<T: crate::Configuration>() {}
}

/// The export `admission`.
pub mod admission {
    wit_bindgen::generate!({
        path: "../wit/0.1.0",
        inline: "package tollgate:sdk-admission; world sdk-admission { export tollgate:extension/admission@0.1.0; }",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "tollgate_guest::bindings::admission",
        additional_derives: [PartialEq, Eq],
        with: {
            "tollgate:extension/request@0.1.0": crate::bindings::host::tollgate::extension::request,
            "tollgate:extension/verdicts@0.1.0": crate::bindings::host::tollgate::extension::verdicts,
            "tollgate:extension/admission@0.1.0": generate,
        },
    });

    /// What `export!` asks of the type it is given.
    pub const fn implemented_by<T: crate::Admission>() {}
}

/// The export `content`.
pub mod content {
    wit_bindgen::generate!({
        path: "../wit/0.1.0",
        inline: "package tollgate:sdk-content; world sdk-content { export tollgate:extension/content@0.1.0; }",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "tollgate_guest::bindings::content",
        additional_derives: [PartialEq, Eq],
        with: {
            "tollgate:extension/request@0.1.0": crate::bindings::host::tollgate::extension::request,
            "tollgate:extension/verdicts@0.1.0": crate::bindings::host::tollgate::extension::verdicts,
            "tollgate:extension/segments@0.1.0": crate::bindings::host::tollgate::extension::segments,
            "tollgate:extension/content@0.1.0": generate,
        },
    });

    /// What `export!` asks of the type it is given.
    pub const fn implemented_by<T: crate::Content>() {}
}

/// The export `answer-content`.
pub mod answer_content {
    wit_bindgen::generate!({
        path: "../wit/0.1.0",
        inline: "package tollgate:sdk-answer-content; world sdk-answer-content { export tollgate:extension/answer-content@0.1.0; }",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "tollgate_guest::bindings::answer_content",
        additional_derives: [PartialEq, Eq],
        with: {
            "tollgate:extension/request@0.1.0": crate::bindings::host::tollgate::extension::request,
            "tollgate:extension/verdicts@0.1.0": crate::bindings::host::tollgate::extension::verdicts,
            "tollgate:extension/answer-content@0.1.0": generate,
        },
    });

    /// What `export!` asks of the type it is given.
    pub const fn implemented_by<T: crate::AnswerContent>() {}
}

/// The export `routing`.
pub mod routing {
    wit_bindgen::generate!({
        path: "../wit/0.1.0",
        inline: "package tollgate:sdk-routing; world sdk-routing { export tollgate:extension/routing@0.1.0; }",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "tollgate_guest::bindings::routing",
        additional_derives: [PartialEq, Eq],
        with: {
            "tollgate:extension/request@0.1.0": crate::bindings::host::tollgate::extension::request,
            "tollgate:extension/candidates@0.1.0": crate::bindings::host::tollgate::extension::candidates,
            "tollgate:extension/routing@0.1.0": generate,
        },
    });

    /// What `export!` asks of the type it is given.
    pub const fn implemented_by<T: crate::Routing>() {}
}

/// The export `observation`.
pub mod observation {
    wit_bindgen::generate!({
        path: "../wit/0.1.0",
        inline: "package tollgate:sdk-observation; world sdk-observation { export tollgate:extension/observation@0.1.0; }",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "tollgate_guest::bindings::observation",
        additional_derives: [PartialEq, Eq],
        with: {
            "tollgate:extension/outcomes@0.1.0": crate::bindings::host::tollgate::extension::outcomes,
            "tollgate:extension/observation@0.1.0": generate,
        },
    });

    /// What `export!` asks of the type it is given.
    pub const fn implemented_by<T: crate::Observation>() {}
}
