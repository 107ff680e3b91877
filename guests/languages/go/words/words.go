// Package words counts words.
package words

import (
	"encoding/json/v2"
	"strings"
	"unicode/utf8"
)

type input struct {
	Text string `json:"text"`
}

type output struct {
	Words   int    `json:"words"`
	Unique  int    `json:"unique"`
	Longest string `json:"longest"`
}

// Count takes and returns JSON.
func Count(request []byte) []byte {
	var in input
	if err := json.Unmarshal(request, &in); err != nil {
		panic(err)
	}
	words := strings.FieldsFunc(in.Text, func(r rune) bool { return strings.ContainsRune(" \t\n\f\r", r) })
	unique := make(map[string]bool)
	longest := ""
	for _, word := range words {
		unique[word] = true
		if utf8.RuneCountInString(word) > utf8.RuneCountInString(longest) {
			longest = word
		}
	}
	reply, err := json.Marshal(output{len(words), len(unique), longest})
	if err != nil {
		panic(err)
	}
	return reply
}
