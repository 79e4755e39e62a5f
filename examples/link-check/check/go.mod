module link-check

go 1.18
