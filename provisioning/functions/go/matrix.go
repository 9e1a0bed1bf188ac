package main

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"time"
)

const (
	matrixPreset = 1024
	matrixMost   = 2048

	// A tile of the right factor, so many rows of so many columns, is 128 KiB: it stays in the
	// processor's second cache while it is used for every row of the result.
	tileRows    = 64
	tileColumns = 256
)

// matrix is square, row by row.
type matrix struct {
	size   int
	values []float64
}

func newMatrix(size int) matrix {
	return matrix{size: size, values: make([]float64, size*size)}
}

func doMatrix(query url.Values) (string, time.Duration, error) {
	n, err := readNumber(query, "n", matrixPreset, matrixMost)
	if err != nil {
		return "", 0, err
	}
	factor := randomMatrix(int(n))
	begin := time.Now()
	product := multiply(factor, factor)
	elapsed := time.Since(begin)
	return fmt.Sprintf("%.6f\n", product.trace()), elapsed, nil
}

// multiply is the product of two matrices of one size, by one thread.
func multiply(left, right matrix) matrix {
	n := left.size
	product := newMatrix(n)
	for row := 0; row < n; row += tileRows {
		rowEnd := min(row+tileRows, n)
		for column := 0; column < n; column += tileColumns {
			columnEnd := min(column+tileColumns, n)
			for i := 0; i < n; i++ {
				target := product.values[i*n+column : i*n+columnEnd]
				addRows(target, left.values[i*n+row:i*n+rowEnd], right, row, column)
			}
		}
	}
	return product
}

// addRows adds a part of the right factor's rows, from this row and column on, each times its
// factor. Four rows at a time halve the stores.
func addRows(target, factors []float64, right matrix, row, column int) {
	n, width := right.size, len(target)
	k := 0
	for ; k+4 <= len(factors); k += 4 {
		at := (row+k)*n + column
		a := right.values[at:][:width]
		b := right.values[at+n:][:width]
		c := right.values[at+2*n:][:width]
		d := right.values[at+3*n:][:width]
		fa, fb, fc, fd := factors[k], factors[k+1], factors[k+2], factors[k+3]
		for j := range target {
			target[j] += fa*a[j] + fb*b[j] + fc*c[j] + fd*d[j]
		}
	}
	for ; k < len(factors); k++ {
		at := (row+k)*n + column
		for j, value := range right.values[at:][:width] {
			target[j] += factors[k] * value
		}
	}
}

func (m matrix) trace() float64 {
	sum := 0.0
	for i := 0; i < m.size; i++ {
		sum += m.values[i*m.size+i]
	}
	return sum
}

// randomMatrix is of normally distributed numbers, the same ones always.
func randomMatrix(size int) matrix {
	source := rand.New(rand.NewPCG(inputSeed, 2))
	result := newMatrix(size)
	for i := range result.values {
		result.values[i] = source.NormFloat64()
	}
	return result
}
