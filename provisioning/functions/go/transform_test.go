package main

import (
	"math"
	"math/cmplx"
	"testing"
)

// directTransform is the definition, n multiplications for each of n results.
func directTransform(values []complex128) []complex128 {
	n := len(values)
	result := make([]complex128, n)
	for k := range result {
		for j, value := range values {
			angle := -2 * math.Pi * float64(j*k%n) / float64(n)
			result[k] += value * cmplx.Rect(1, angle)
		}
	}
	return result
}

func TestTransformIsTheDirectOne(t *testing.T) {
	for n := 1; n <= 512; n *= 2 {
		values := randomComplex(n)
		got, want := transform(values), directTransform(values)
		for k := range want {
			if cmplx.Abs(got[k]-want[k]) > 1e-10*float64(n) {
				t.Fatalf("n=%d: X[%d] = %v, want %v", n, k, got[k], want[k])
			}
		}
	}
}

func TestTransformOfOneWaveIsOneLine(t *testing.T) {
	const n, wave = 1024, 37
	values := make([]complex128, n)
	for j := range values {
		values[j] = cmplx.Rect(1, 2*math.Pi*wave*float64(j)/n)
	}
	for k, got := range transform(values) {
		want := complex128(0)
		if k == wave {
			want = n
		}
		if cmplx.Abs(got-want) > 1e-9*n {
			t.Fatalf("X[%d] = %v, want %v", k, got, want)
		}
	}
}

func TestTransformKeepsEnergy(t *testing.T) {
	for _, n := range []int{1 << 10, 1 << 16, 1 << 20} {
		values := randomComplex(n)
		ratio := energy(transform(values)) / float64(n) / energy(values)
		if math.Abs(ratio-1) > 1e-12 {
			t.Errorf("n=%d: the spectrum has %v times the energy", n, ratio)
		}
	}
}

func TestTransformLeavesItsInput(t *testing.T) {
	values := randomComplex(256)
	transform(values)
	for i, value := range randomComplex(256) {
		if values[i] != value {
			t.Fatalf("value %d was changed", i)
		}
	}
}

func BenchmarkTransform(b *testing.B) {
	values := randomComplex(transformPreset)
	for i := 0; i < b.N; i++ {
		transform(values)
	}
}
