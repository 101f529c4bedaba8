// Picks the rows of a set from its bits. It is compiled for every instruction set, since counting bits is one
// instruction on most and a function call on the rest.
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernels.h"

namespace shortlist {

/// Writes the rows of one word, lowest first. It writes several at once even if there are fewer: the number of bits is
/// random, and a branch misprediction costs more than the extra writes. @return how many there are
__attribute__((always_inline)) inline std::size_t write_bits(std::uint64_t word, std::uint32_t first, std::uint32_t* out) {
  constexpr std::uint64_t kTopBit = std::uint64_t{1} << 63;
  const std::size_t bits = static_cast<std::size_t>(__builtin_popcountll(word));
  std::size_t done = 0;
  do {
    for (std::size_t i = done; i < done + kBitsPerStep; i++) {
      out[i] = first + static_cast<std::uint32_t>(__builtin_ctzll(word | kTopBit));
      word &= word - 1;
    }
    done += kBitsPerStep;
  } while (done < bits);
  return bits;
}

/// @see Kernels::pick_bits
__attribute__((always_inline)) inline std::uint32_t pick_bits_inline(const std::uint32_t* words, std::uint32_t row,
                                                                     std::uint32_t to, std::size_t max,
                                                                     std::uint32_t* out, std::size_t* picked) {
  constexpr std::uint32_t kWord = 64, kSkippedBits = 512;
  std::size_t count = 0;
  while (row < to && count < max) {
    const std::uint32_t first = row & ~(kWord - 1), left = to - first;
    std::uint64_t word;
    if (row == first && left >= kWord) {
      std::uint64_t next[kSkippedBits / kWord];
      if (left >= kSkippedBits) {
        __builtin_memcpy(next, words + first / 32, sizeof next);
        std::uint64_t any = 0;
        for (const std::uint64_t one : next) any |= one;
        if (any == 0) {
          row += kSkippedBits;
          continue;
        }
        for (std::size_t i = 0; i < kSkippedBits / kWord && count < max; i++) {
          count += write_bits(next[i], row, out + count);
          row += kWord;
        }
        continue;
      }
      __builtin_memcpy(&word, words + first / 32, sizeof word);
    } else {
      const std::uint64_t high = left > 32 ? words[first / 32 + 1] : 0;
      word = (high << 32 | words[first / 32]) >> (row - first) << (row - first);
      if (left < kWord) word &= (std::uint64_t{1} << left) - 1;
    }
    count += write_bits(word, first, out + count);
    row = left > kWord ? first + kWord : to;
  }
  *picked = count;
  return row;
}

}  // namespace shortlist
