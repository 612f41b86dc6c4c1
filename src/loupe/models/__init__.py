"""Vision-language models: values that say which parts, functions that build, tune, pack, save and load them."""
