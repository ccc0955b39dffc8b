// Store: the model folder on disk, in Ollama's layout, so that an existing one can be used:
//
//   manifests/HOST/NAMESPACE/NAME/TAG   JSON, see manifest.h
//   blobs/sha256-HEX                    the bytes, named by their SHA-256
//   blobs/sha256-HEX-partial[.json]     a download that can go on, see partial_blob.h
//   views/HEX/...                       symbolic links that show a model of files as a folder
//   hearth.lock                         see below
//
// Reading takes no lock: every file appears whole by rename(2), and blobs never change. Adding
// (StoreWriter) holds the lock shared, so that several may add at once; removing holds it
// exclusively, so that it never takes a blob that somebody is about to refer to. A process that
// is killed leaves at most temporary files, unreferenced blobs and partial downloads; removing
// sweeps those once they are old. Objects are cheap; any number of threads and processes.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "base/sha256.h"
#include "registry/manifest.h"
#include "registry/model_name.h"

namespace hearth {

// HEARTH_HOME, default ~/.hearth. kNotFound when neither HEARTH_HOME nor HOME is set.
Result<std::filesystem::path> hearth_home();
// HEARTH_MODELS or OLLAMA_MODELS, else models under hearth_home().
Result<std::filesystem::path> models_folder();

// Called with bytes done and bytes in all, often; must be quick.
using ProgressFunction = std::function<void(uint64_t done, uint64_t total)>;

struct StoredModel {
  ModelName name;
  Manifest manifest;
  std::string digest;      // 64 hex digits: SHA-256 of the manifest's bytes
  int64_t modified = 0;    // seconds since 1970
};

// One finding of verify().
struct StoreProblem {
  std::string what;     // "blob sha256-...", "manifest smollm2:latest"
  std::string problem;  // "its bytes have the digest ..."
  bool repaired = false;
};

struct VerifyReport {
  uint64_t models = 0, blobs = 0, bytes = 0;  // looked at
  uint64_t unreferenced = 0;                  // blobs that no model uses: no problem, only space
  std::vector<StoreProblem> problems;
};

class StoreWriter;

class Store {
 public:
  // The folder need not exist: then the store is empty, and the first write makes it (mode 0700).
  explicit Store(std::filesystem::path folder) : folder_(std::move(folder)) {}
  // The store that the environment names.
  static Result<Store> open();

  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path blob_path(const Digest& digest) const;
  bool has_blob(const Digest& digest) const;  // a regular file of that name
  std::filesystem::path manifest_path(const ModelName& name) const;

  // The spelling under which `name` is stored: names match without regard to case.
  std::optional<ModelName> find(const ModelName& name) const;
  // kNotFound names the model; kCorrupt the file.
  Result<StoredModel> read(const ModelName& name) const;
  // All readable models, newest first; those that cannot be read go to `broken` (nullable).
  Result<std::vector<StoredModel>> list(std::vector<StoreProblem>* broken = nullptr) const;
  // A layer's bytes as text; kTooLarge above `bytes_max`.
  Result<std::string> read_text(const Digest& digest, uint64_t bytes_max = 16 << 20) const;

  // Begins to add. Waits up to ten seconds for a remover to finish, then kBusy.
  Result<StoreWriter> begin_write() const;

  // Removes manifests and the blobs and views that only they used; sweeps what is stale. All
  // names must exist, or nothing is removed. Returns the stored spellings.
  Result<std::vector<ModelName>> remove(const std::vector<ModelName>& names) const;

  // Reads every manifest and hashes every blob. With `repair`, removes broken blobs and the
  // manifests that cannot work without them; leaves the rest alone.
  Result<VerifyReport> verify(bool repair, const ProgressFunction& progress = {}) const;

  // Ages beyond which sweeping removes what killed processes left behind.
  static constexpr std::chrono::hours kTemporaryAge{24};
  static constexpr std::chrono::hours kOrphanAge{1};
  static constexpr std::chrono::hours kPartialAge{24 * 14};

  // Removes blobs that no manifest refers to and temporary files, when they are old enough. Does
  // nothing while somebody adds, or when a manifest cannot be read. Part of remove().
  Result<void> sweep() const;

 private:
  friend class StoreWriter;
  Result<std::vector<StoredModel>> list_all(std::vector<StoreProblem>* broken) const;
  Result<void> make_layout() const;
  Result<FileLock> lock(FileLock::Mode mode, int wait_ms) const;
  Result<void> sweep_locked() const;

  std::filesystem::path folder_;
};

// A blob in the making: bytes are hashed as they are written.
class BlobWriter {
 public:
  Result<void> write(std::span<const std::byte> bytes);
  uint64_t bytes_written() const { return file_.bytes_written(); }
  // Puts the blob in place. With `expected`, kCorrupt when the bytes are others.
  Result<Layer> finish(std::string_view media_type, const Digest* expected = nullptr);

 private:
  friend class StoreWriter;
  BlobWriter(std::filesystem::path blobs, AtomicFile file)
      : blobs_(std::move(blobs)), file_(std::move(file)) {}
  std::filesystem::path blobs_;
  AtomicFile file_;
  Sha256 hash_;
};

// Adds to a store, under its shared lock for as long as it lives. One thread at a time.
class StoreWriter {
 public:
  Result<BlobWriter> begin_blob() const;
  Result<Layer> put_text(std::string_view media_type, std::string_view text) const;
  // Copies a regular file; follows symbolic links, refuses anything else (devices, pipes).
  Result<Layer> put_file(std::string_view media_type, const std::filesystem::path& path,
                         const ProgressFunction& progress = {}) const;
  // Refers to a blob that is there already; kNotFound.
  Result<Layer> use_blob(std::string_view media_type, const Digest& digest) const;

  // Gives the manifest its name, replacing what had it before. Every blob must be there
  // (kNotFound). Keeps the stored spelling of a name that differs in case only. Returns the
  // manifest's digest.
  Result<std::string> write_manifest(const ModelName& name, const Manifest& manifest) const;
  // The manifest of `from` under another name as well, byte for byte.
  Result<void> copy(const ModelName& from, const ModelName& to) const;

 private:
  friend class Store;
  StoreWriter(const Store& store, FileLock lock) : store_(store), lock_(std::move(lock)) {}
  Result<void> put_manifest(const ModelName& name, std::string_view text) const;
  Store store_;
  FileLock lock_;
};

// The folder view of a model of files (safetensors, split GGUF): a folder of symbolic links to its
// blobs, made when it is not there. kUnsupported when the model has no kFile layers.
Result<std::filesystem::path> materialise(const Store& store, const StoredModel& model);

}  // namespace hearth
