#include "failing_new.h"

#include <cstdlib>
#include <new>

namespace {

thread_local uint64_t to_go = 0;  // 0: not armed
thread_local bool fail_all = false, failing = false, failed = false;
thread_local int64_t live = 0, made = 0;

bool fails_now() {
  if (to_go > 0 && --to_go == 0) {
    failed = true;
    failing = fail_all;
    return true;
  }
  return failing;
}

void* plain(size_t size, size_t alignment) {
  if (size == 0) size = 1;
  void* out = alignment == 0
                  ? std::malloc(size)
                  : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (out != nullptr) ++live, ++made;
  return out;
}

void* allocate(size_t size, size_t alignment) {
  void* out = fails_now() ? nullptr : plain(size, alignment);
  if (out == nullptr) throw std::bad_alloc();
  return out;
}

void release(void* pointer) {
  if (pointer == nullptr) return;
  --live;
  std::free(pointer);
}

}  // namespace

namespace hearth {

void arm_failure(uint64_t nth, bool all_after) {
  failed = failing = false;
  fail_all = all_after;
  to_go = nth;
}

bool disarm_failure() {
  to_go = 0;
  failing = false;
  return failed;
}

int64_t allocations() { return made; }

int64_t live_allocations() { return live; }

}  // namespace hearth

void* operator new(size_t size) { return allocate(size, 0); }
void* operator new[](size_t size) { return allocate(size, 0); }
void* operator new(size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<size_t>(alignment));
}
void* operator new[](size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<size_t>(alignment));
}
// Never fails: std::stable_sort asks so for a buffer that it can do without.
void* operator new(size_t size, const std::nothrow_t&) noexcept { return plain(size, 0); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return plain(size, 0); }
void operator delete(void* pointer) noexcept { release(pointer); }
void operator delete[](void* pointer) noexcept { release(pointer); }
void operator delete(void* pointer, size_t) noexcept { release(pointer); }
void operator delete[](void* pointer, size_t) noexcept { release(pointer); }
void operator delete(void* pointer, std::align_val_t) noexcept { release(pointer); }
void operator delete[](void* pointer, std::align_val_t) noexcept { release(pointer); }
void operator delete(void* pointer, size_t, std::align_val_t) noexcept { release(pointer); }
void operator delete[](void* pointer, size_t, std::align_val_t) noexcept { release(pointer); }
void operator delete(void* pointer, const std::nothrow_t&) noexcept { release(pointer); }
void operator delete[](void* pointer, const std::nothrow_t&) noexcept { release(pointer); }
