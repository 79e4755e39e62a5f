/* Empty on purpose: see functions/storefront/.cargo/config.toml. */
