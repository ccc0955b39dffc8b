// The first bytes of a file, as a source; what lies behind them is out of bounds for ASan.
#pragma once

#include <span>
#include <string>

#include "base/byte_source.h"

#if defined(__SANITIZE_ADDRESS__)
#define HEARTH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HEARTH_ASAN 1
#endif
#endif
#ifdef HEARTH_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace hearth {

// `all` outlives the source and is heap memory when `poison` is set. One source on it at a time.
class CutSource final : public ByteSource {
 public:
  CutSource(std::span<const std::byte> all, uint64_t size, bool poison)
      : all_(all), size_(size), poison_(poison) {
#ifdef HEARTH_ASAN
    if (poison_) __asan_poison_memory_region(all_.data() + size_, all_.size() - size_);
#endif
  }
  ~CutSource() override {
#ifdef HEARTH_ASAN
    if (poison_) __asan_unpoison_memory_region(all_.data() + size_, all_.size() - size_);
#endif
  }
  CutSource(const CutSource&) = delete;
  CutSource& operator=(const CutSource&) = delete;

  const std::string& name() const override { return name_; }
  uint64_t size() const override { return size_; }
  std::span<const std::byte> mapped() const override { return all_.first(size_); }
  Result<void> read_at(uint64_t, std::span<std::byte>) const override {
    return fail(Code::kInternal, "nobody copies from a mapped source");
  }

 private:
  std::span<const std::byte> all_;
  uint64_t size_;
  bool poison_;
  std::string name_ = "cut";
};

}  // namespace hearth
