package main

import (
	"encoding/binary"
	"math/rand/v2"
	"sort"
)

const (
	vocabularySize = 8192
	sentenceWords  = 12
	// rankOffset keeps the first words from being all of the text.
	rankOffset = 3
)

// seedOf is a seed of 32 bytes for one file.
func seedOf(kind byte, number int) [32]byte {
	return [32]byte{'l', 'o', 'c', 'k', 's', 't', 'e', 'p', kind, byte(number)}
}

// randomFile is 5 MiB that cannot be compressed.
func randomFile(number int) []byte {
	source := rand.NewChaCha8(seedOf('r', number))
	content := make([]byte, 0, fileBytes)
	for len(content) < fileBytes {
		content = binary.LittleEndian.AppendUint64(content, source.Uint64())
	}
	return content
}

// textFile is 5 MiB of sentences of invented words.
func textFile(number int) []byte {
	source := rand.New(rand.NewChaCha8(seedOf('t', number)))
	words := vocabulary()
	sums := rankSums()
	content := make([]byte, 0, fileBytes+64)
	for count := 1; len(content) < fileBytes; count++ {
		content = append(content, words[chooseRank(source, sums)]...)
		if count%sentenceWords == 0 {
			content = append(content, '.', '\n')
		} else {
			content = append(content, ' ')
		}
	}
	return content[:fileBytes]
}

// rankSums adds up how often each word comes, few often and most rarely as in a language: by one
// over its rank (Zipf's law). In whole numbers, for every processor must do the same.
func rankSums() []uint64 {
	sums := make([]uint64, vocabularySize)
	sum := uint64(0)
	for i := range sums {
		sum += 1 << 40 / uint64(i+rankOffset)
		sums[i] = sum
	}
	return sums
}

func chooseRank(source *rand.Rand, sums []uint64) int {
	drawn := source.Uint64N(sums[len(sums)-1])
	return sort.Search(len(sums), func(i int) bool { return sums[i] > drawn })
}

// vocabulary is the same for all files: words of two to ten letters.
func vocabulary() []string {
	const consonants, vowels = "bcdfghklmnprstvw", "aeiou"
	source := rand.New(rand.NewChaCha8(seedOf('v', 0)))
	words := make([]string, vocabularySize)
	for i := range words {
		word := []byte{}
		for syllables := 1 + source.IntN(5); syllables > 0; syllables-- {
			word = append(word, consonants[source.IntN(len(consonants))])
			word = append(word, vowels[source.IntN(len(vowels))])
		}
		words[i] = string(word)
	}
	return words
}
