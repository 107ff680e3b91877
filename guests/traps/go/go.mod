module trap

go 1.24
