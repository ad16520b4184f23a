//! Compiles the handheld's screens. Element ids stay in, because the screen tests find what they tap by id, and English is
//! the base language with the translations of `lang/` bundled, because a handheld has no other place to read them from.

use slint_build::{CompilerConfiguration, DefaultTranslationContext, EmbedResourcesKind};

fn main() -> Result<(), slint_build::CompileError> {
    let config = CompilerConfiguration::new()
        .with_style("fluent-dark".into())
        .embed_resources(EmbedResourcesKind::EmbedFiles)
        .with_bundled_translations("lang")
        .with_debug_info(true)
        .with_default_translation_context(DefaultTranslationContext::None);
    slint_build::compile_with_config("handheld/app.slint", config)
}
