// Mixing and checksums.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace shortlist {

/// splitmix64 (Steele, Lea and Flood 2014): similar inputs give unrelated outputs.
inline std::uint64_t mix64(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

/// Bytes hashed between two calls of `check_cancelled`.
constexpr std::ptrdiff_t kHashBlockBytes = 1 << 24;

/// XXH64 with seed 0 (Yann Collet).
/// @param check_cancelled called now and then; if it throws, the call ends
template <typename CancelCheck>
std::uint64_t xxh64(const void* data, std::size_t bytes, const CancelCheck& check_cancelled) {
  constexpr std::uint64_t k1 = 0x9e3779b185ebca87ull, k2 = 0xc2b2ae3d27d4eb4full, k3 = 0x165667b19e3779f9ull,
                          k4 = 0x85ebca77c2b2ae63ull, k5 = 0x27d4eb2f165667c5ull;
  const auto rotate = [](std::uint64_t x, int by) { return x << by | x >> (64 - by); };
  const auto round = [&](std::uint64_t sum, std::uint64_t word) { return rotate(sum + word * k2, 31) * k1; };
  const auto read64 = [](const std::uint8_t* at) { std::uint64_t word; std::memcpy(&word, at, 8); return word; };
  const auto read32 = [](const std::uint8_t* at) { std::uint32_t word; std::memcpy(&word, at, 4); return word; };
  const std::uint8_t* at = static_cast<const std::uint8_t*>(data);
  const std::uint8_t* const end = at + bytes;
  std::uint64_t hash;
  if (bytes >= 32) {
    std::uint64_t lane[4] = {k1 + k2, k2, 0, 0 - k1};
    while (end - at >= 32) {
      check_cancelled();
      const std::uint8_t* const stop = at + std::min(end - at, kHashBlockBytes) / 32 * 32;
      for (; at < stop; at += 32) {
        for (int i = 0; i < 4; i++) lane[i] = round(lane[i], read64(at + 8 * i));
      }
    }
    hash = rotate(lane[0], 1) + rotate(lane[1], 7) + rotate(lane[2], 12) + rotate(lane[3], 18);
    for (int i = 0; i < 4; i++) hash = (hash ^ round(0, lane[i])) * k1 + k4;
  } else {
    hash = k5;
  }
  hash += bytes;
  for (; end - at >= 8; at += 8) hash = rotate(hash ^ round(0, read64(at)), 27) * k1 + k4;
  if (end - at >= 4) {
    hash = rotate(hash ^ read32(at) * k1, 23) * k2 + k3;
    at += 4;
  }
  for (; at < end; at++) hash = rotate(hash ^ *at * k5, 11) * k1;
  hash = (hash ^ (hash >> 33)) * k2;
  hash = (hash ^ (hash >> 29)) * k3;
  return hash ^ (hash >> 32);
}

inline std::uint64_t xxh64(const void* data, std::size_t bytes) {
  return xxh64(data, bytes, [] {});
}

}  // namespace shortlist
