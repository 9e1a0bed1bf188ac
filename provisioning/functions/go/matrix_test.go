package main

import (
	"math"
	"testing"
)

func matrixOf(size int, values ...float64) matrix { return matrix{size: size, values: values} }

func identity(size int) matrix {
	result := newMatrix(size)
	for i := 0; i < size; i++ {
		result.values[i*size+i] = 1
	}
	return result
}

func TestMultiplyOfAKnownProduct(t *testing.T) {
	left := matrixOf(3, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	right := matrixOf(3, -2, 1, 0, 3, 0, 5, 4, -1, 2)
	want := []float64{16, -2, 16, 31, -2, 37, 46, -2, 58}
	for i, got := range multiply(left, right).values {
		if got != want[i] {
			t.Errorf("value %d = %v, want %v", i, got, want[i])
		}
	}
}

// Sizes around the tiles and around the four rows that are added at once.
func TestMultiplyByTheIdentity(t *testing.T) {
	for _, size := range []int{1, 2, 5, 63, 64, 65, 66, 67, 255, 257, 300} {
		factor := randomMatrix(size)
		for name, product := range map[string]matrix{
			"right": multiply(factor, identity(size)),
			"left":  multiply(identity(size), factor),
		} {
			for i, got := range product.values {
				if got != factor.values[i] {
					t.Fatalf("%s, size %d: value %d = %v", name, size, i, got)
				}
			}
		}
	}
}

func TestMultiplyIsRowsTimesColumns(t *testing.T) {
	const size = 131
	left, right := randomMatrix(size), randomMatrix(size)
	right.values[7] = 3
	product := multiply(left, right)
	for i := 0; i < size; i++ {
		for j := 0; j < size; j++ {
			want := 0.0
			for k := 0; k < size; k++ {
				want += left.values[i*size+k] * right.values[k*size+j]
			}
			if got := product.values[i*size+j]; math.Abs(got-want) > 1e-10 {
				t.Fatalf("(%d,%d) = %v, want %v", i, j, got, want)
			}
		}
	}
}

func BenchmarkMultiply(b *testing.B) {
	factor := randomMatrix(matrixPreset)
	for i := 0; i < b.N; i++ {
		multiply(factor, factor)
	}
}
