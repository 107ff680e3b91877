// Counts words: a program from standard input to standard output.
package main

import (
	"io"
	"os"

	"wordcount/words"
)

func main() {
	request, err := io.ReadAll(os.Stdin)
	if err != nil {
		panic(err)
	}
	if _, err := os.Stdout.Write(words.Count(request)); err != nil {
		panic(err)
	}
}
