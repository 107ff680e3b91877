module wordcount

go 1.27
