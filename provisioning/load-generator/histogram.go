package main

import (
	"math"
	"math/bits"
)

// Each power of two is cut into so many equal buckets. The middle of a bucket is then at most
// 1/256 = 0.4 % away from any value in it; below 256 every value has a bucket of its own.
const (
	bucketBits     = 7
	bucketsPerPage = 1 << bucketBits
	pageCount      = 64 - bucketBits
)

// histogram counts durations in ns in buckets of equal relative width. Pages, one for each power of
// two, are made when they are first needed, so that one histogram for each connection is cheap.
type histogram struct {
	pages [pageCount]*[bucketsPerPage]uint32
	count uint64
	sum   float64
	least int64
	most  int64
}

// bucketOf is the place of a value that is not negative.
func bucketOf(value uint64) (page, bucket int) {
	if value < bucketsPerPage {
		return 0, int(value)
	}
	shift := bits.Len64(value) - bucketBits - 1
	return shift + 1, int(value>>shift) - bucketsPerPage
}

// middleOf is the value that stands for a bucket.
func middleOf(page, bucket int) int64 {
	if page == 0 {
		return int64(bucket)
	}
	shift := page - 1
	return int64(bucket+bucketsPerPage)<<shift + int64(1)<<shift/2
}

// add counts a value; what is negative counts as 0.
func (h *histogram) add(value int64) {
	if value < 0 {
		value = 0
	}
	page, bucket := bucketOf(uint64(value))
	buckets := h.pages[page]
	if buckets == nil {
		buckets = new([bucketsPerPage]uint32)
		h.pages[page] = buckets
	}
	buckets[bucket]++
	if h.count == 0 || value < h.least {
		h.least = value
	}
	if value > h.most {
		h.most = value
	}
	h.count++
	h.sum += float64(value)
}

// merge adds all that another histogram has counted.
func (h *histogram) merge(other *histogram) {
	if other.count == 0 {
		return
	}
	for page, theirs := range other.pages {
		if theirs == nil {
			continue
		}
		if h.pages[page] == nil {
			h.pages[page] = new([bucketsPerPage]uint32)
		}
		for bucket, count := range theirs {
			h.pages[page][bucket] += count
		}
	}
	if h.count == 0 || other.least < h.least {
		h.least = other.least
	}
	if other.most > h.most {
		h.most = other.most
	}
	h.count += other.count
	h.sum += other.sum
}

// quantile is the smallest value that at least this share of all values does not exceed, as exactly
// as the buckets tell; 0 if there are none. The least and the greatest value are exact.
func (h *histogram) quantile(share float64) int64 {
	rank := uint64(math.Ceil(share * float64(h.count)))
	if rank <= 1 {
		return h.least
	}
	if rank >= h.count {
		return h.most
	}
	seen := uint64(0)
	for page, buckets := range h.pages {
		if buckets == nil {
			continue
		}
		for bucket, count := range buckets {
			seen += uint64(count)
			if seen >= rank {
				return min(max(middleOf(page, bucket), h.least), h.most)
			}
		}
	}
	return h.most
}

func (h *histogram) mean() int64 {
	if h.count == 0 {
		return 0
	}
	return int64(h.sum / float64(h.count))
}
