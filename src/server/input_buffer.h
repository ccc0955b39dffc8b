// InputBuffer: bytes that came and were not used yet, in one piece. It grows as it must and gives
// back what it does not need while a connection is idle.
#pragma once

#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace hearth::server {

class InputBuffer {
 public:
  std::string_view view() const { return {data_.get() + begin_, end_ - begin_}; }
  size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }
  void consume(size_t bytes) { begin_ += bytes; }

  // Room for at least `bytes` more; views are no longer valid. All of it is given, so that a
  // larger buffer is used when there is one.
  std::span<char> room(size_t bytes) {
    if (empty()) begin_ = end_ = 0;
    if (capacity_ - end_ < bytes) make_room(bytes);
    return {data_.get() + end_, capacity_ - end_};
  }
  void filled(size_t bytes) { end_ += bytes; }

  // REQUIRES: nobody reads into it.
  void shrink() {
    if (!empty() || capacity_ <= kSmall) return;
    data_.reset();
    begin_ = end_ = capacity_ = 0;
  }

  static constexpr size_t kSmall = 4 << 10;

 private:
  void make_room(size_t bytes) {
    size_t have = size(), wanted = have + bytes;
    if (wanted <= capacity_) {
      std::memmove(data_.get(), data_.get() + begin_, have);
    } else {
      size_t capacity = capacity_ == 0 ? kSmall : capacity_;
      while (capacity < wanted) capacity *= 2;
      auto larger = std::make_unique_for_overwrite<char[]>(capacity);
      if (have > 0) std::memcpy(larger.get(), data_.get() + begin_, have);
      data_ = std::move(larger);
      capacity_ = capacity;
    }
    begin_ = 0;
    end_ = have;
  }

  std::unique_ptr<char[]> data_;
  size_t capacity_ = 0, begin_ = 0, end_ = 0;
};

}  // namespace hearth::server
