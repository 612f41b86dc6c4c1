"""loupe: vision-language models that see fine detail."""
