// Limits on what a header may ask for. They lie far above every real model and keep the memory of
// a hostile file within a few hundred MiB.
#pragma once

#include <cstdint>

namespace hearth {

inline constexpr uint64_t kPairsMax = 1 << 16;         // metadata keys of a file
inline constexpr uint64_t kTensorsMax = 1 << 18;       // tensors of a file or of a set
inline constexpr uint64_t kNameBytesMax = 1024;        // of a tensor
inline constexpr uint64_t kKeyBytesMax = 65535;        // of a metadata key (the format's limit)
inline constexpr uint64_t kDimsMax = 4;                // of a tensor in GGUF
inline constexpr uint64_t kSafetensorsDimsMax = 8;     // video models have convolutions with 5
inline constexpr uint64_t kAlignmentMin = 8;           // the format wants a multiple of 8
inline constexpr uint64_t kAlignmentMax = 64 << 10;
inline constexpr uint64_t kAlignmentDefault = 32;
inline constexpr uint64_t kPartsMax = 4096;            // files of a set

// Bytes that one GGUF header may make us allocate (strings copied, tables of views, tensors).
inline constexpr uint64_t kHeaderBudget = 256ull << 20;

// A safetensors header: the format's own limit in bytes, and how many JSON values it may hold
// (each costs up to 200 bytes while the document grows).
inline constexpr uint64_t kJsonHeaderBytesMax = 100'000'000;
inline constexpr uint64_t kJsonValuesMax = 1 << 20;

}  // namespace hearth
