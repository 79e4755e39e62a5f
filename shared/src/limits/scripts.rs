//! The script of the rate limits.

redis_link::scripts! {
    "limits", &[];
    TAKE = "take";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn a_full_server_refuses_before_any_write() {
        for script in ALL {
            assert_eq!(script.source().lines().next(), Some("#!lua"));
        }
    }
}
