// PartialBlob: a blob that arrives in parts, over several runs of a program if need be. The bytes
// grow in blobs/sha256-HEX-partial; a journal beside it says which parts are whole. A part that
// breaks off is dropped and comes again; finished parts stay. When the last part is in, the whole
// is hashed and gets its name.
//
//   auto writer = TRY(store.begin_write());
//   auto partial = TRY(PartialBlob::open(store, digest, size, parts));
//   while (!partial.all_parts()) { TRY(partial.append(...)); TRY(partial.end_part()); }
//   TRY(partial.complete());
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>

#include "base/file.h"
#include "base/result.h"
#include "registry/model_name.h"
#include "registry/store.h"

namespace hearth {

class PartialBlob {
 public:
  // Takes up where the journal says; a journal of another size or number of parts is dropped and
  // the intake begins anew. kBusy while another process feeds the same blob. The caller keeps a
  // StoreWriter alive meanwhile.
  static Result<PartialBlob> open(const Store& store, const Digest& digest, uint64_t size,
                                  uint32_t parts);
  PartialBlob(PartialBlob&&) noexcept;
  PartialBlob& operator=(PartialBlob&&) = delete;
  ~PartialBlob();

  bool complete_already() const { return complete_; }  // the blob is in the store
  bool all_parts() const { return complete_ || parts_done_ == parts_; }
  uint32_t next_part() const { return parts_done_ + 1; }  // counts from 1
  uint64_t bytes_done() const { return bytes_done_; }     // of whole parts

  // Bytes of the part in progress; kTooLarge beyond the blob's size.
  Result<void> append(std::span<const std::byte> bytes);
  // The part is whole: makes its bytes durable, then the journal.
  Result<void> end_part();
  // Hashes the whole and puts the blob in place. On a mismatch everything is dropped (kCorrupt).
  Result<void> complete();

 private:
  PartialBlob(const Store& store, const Digest& digest, uint64_t size, uint32_t parts);
  static Result<PartialBlob> open_parts(const Store& store, const Digest& digest, uint64_t size,
                                        uint32_t parts);
  Result<void> read_journal();
  Result<void> write_journal() const;
  Result<void> drop();

  Digest digest_;
  std::filesystem::path blob_, partial_, journal_;
  uint64_t size_;
  uint32_t parts_;
  uint32_t parts_done_ = 0;
  uint64_t bytes_done_ = 0, bytes_written_ = 0;
  bool complete_ = false;
  std::optional<FileLock> lock_;
  int fd_ = -1;
};

}  // namespace hearth
