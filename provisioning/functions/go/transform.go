package main

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"net/url"
	"time"
)

const (
	transformPreset = 1 << 20
	transformMost   = 1 << 23
	// inputSeed makes the random inputs of all starts and devices the same.
	inputSeed = 20240301
)

func doTransform(query url.Values) (string, time.Duration, error) {
	n, err := readNumber(query, "n", transformPreset, transformMost)
	if err != nil {
		return "", 0, err
	}
	if bits.OnesCount64(n) != 1 {
		return "", 0, badQuery(fmt.Sprintf("n is %d, and not a power of two", n))
	}
	input := randomComplex(int(n))
	begin := time.Now()
	spectrum := transform(input)
	elapsed := time.Since(begin)
	// By Parseval's theorem both are the same, so that a wrong result shows.
	ratio := energy(spectrum) / float64(n) / energy(input)
	return fmt.Sprintf("%.9f\n", ratio), elapsed, nil
}

// transform is the discrete Fourier transform, X[k] = sum over j of x[j] exp(-2 pi i j k / n), of
// a number of values that is a power of two. The result and the factors are new memory.
func transform(values []complex128) []complex128 {
	n := len(values)
	factors := make([]complex128, n/2)
	for k := range factors {
		sine, cosine := math.Sincos(-2 * math.Pi * float64(k) / float64(n))
		factors[k] = complex(cosine, sine)
	}
	result := make([]complex128, n)
	transformInto(result, values, factors, 1)
	return result
}

// transformInto transforms every stride-th value, as Cooley and Tukey did: the halves of even and
// of odd positions, each by itself, and then together. A half soon fits the processor's cache.
func transformInto(result, values, factors []complex128, stride int) {
	n := len(result)
	if n == 1 {
		result[0] = values[0]
		return
	}
	if n == 2 {
		first, second := values[0], values[stride]
		result[0], result[1] = first+second, first-second
		return
	}
	even, odd := result[:n/2], result[n/2:]
	transformInto(even, values, factors, 2*stride)
	transformInto(odd, values[stride:], factors, 2*stride)
	for k := range even {
		product := factors[k*stride] * odd[k]
		even[k], odd[k] = even[k]+product, even[k]-product
	}
}

func energy(values []complex128) float64 {
	sum := 0.0
	for _, value := range values {
		sum += real(value)*real(value) + imag(value)*imag(value)
	}
	return sum
}

func randomComplex(n int) []complex128 {
	source := rand.New(rand.NewPCG(inputSeed, 1))
	values := make([]complex128, n)
	for i := range values {
		values[i] = complex(source.Float64(), source.Float64())
	}
	return values
}
