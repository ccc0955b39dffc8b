// Encoding: how numbers are packed in memory (f16, q4_k, ...), one row per format.
//
// A number format is encoding/NAME.h (block struct with its layout drawn and its size asserted)
// and NAME.cc (readable decode and encode, and the row), plus one line in list.def. Loader,
// quantizer, planner, help texts and tests iterate the table; fast paths are optional files of
// the same name in kernels/cpu. "Container" is a file (gguf, safetensors), "encoding" the packing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace hearth {

struct Encoding {
  std::string_view name;  // as GGUF tools print it: "F32", "Q4_K", "IQ2_XXS"
  uint32_t gguf_id;       // ggml's type number in a GGUF file
  uint32_t block_elems;   // values per block; rows are whole blocks
  uint32_t block_bytes;

  // The readable decode, the oracle of every fast path: `elems` (a multiple of block_elems)
  // values from blocks to out. Any bytes decode to something; scales that are NaN or infinite
  // give such values. Thread-safe.
  void (*decode)(const std::byte* blocks, float* out, size_t elems);

  // The readable encode, or nullptr for formats that Hearth cannot write yet. `importance`
  // (nullable) weighs the squared error of each of the `elems` values.
  void (*encode)(const float* in, std::byte* blocks, size_t elems, const float* importance);

  // For formats whose values are small whole numbers, |code| < 64, under a scale for each 16 of
  // them (the IQ and TQ families), or nullptr: one block taken apart, value i being
  // scales[i / 16] * codes[i], as decode says it.
  void (*unpack)(const std::byte* block, int8_t* codes, float* scales) = nullptr;

  constexpr double bits_per_value() const { return 8.0 * block_bytes / block_elems; }
  // Bytes of `elems` values. REQUIRES: a multiple of block_elems.
  constexpr uint64_t bytes_of(uint64_t elems) const { return elems / block_elems * block_bytes; }
};

// All rows, in the order of list.def.
std::span<const Encoding* const> encodings();

// nullptr when there is no such row. Names compare without case.
const Encoding* find_encoding(uint32_t gguf_id);
const Encoding* find_encoding(std::string_view name);

// Rows that code refers to by name: extern const Encoding k_f32, k_q4_k, ... (one per line of
// list.def).
#define ENCODING(name) extern const Encoding k_##name;
#include "encoding/list.def"
#undef ENCODING

}  // namespace hearth
