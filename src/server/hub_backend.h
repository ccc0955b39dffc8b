// What the hub of models asks of the rest of the house: to find models, to load them, and to give
// them to the engine. Apart from the hub, whose rules tests then try with models that cost nothing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "registry/store.h"
#include "server/model_hub.h"

namespace hearth::server {

// Tells one state of a file from another at the price of one system call: the store never changes
// a file in place.
struct FileStamp {
  uint64_t device = 0, inode = 0, bytes = 0;
  int64_t seconds = 0, nanoseconds = 0;
  bool operator==(const FileStamp&) const = default;
};
std::optional<FileStamp> stamp_of(const std::filesystem::path& path);  // nothing: not there

// What a name stood for when it was looked up.
struct FoundModel {
  std::string key;     // model_key() of the name
  std::string digest;  // of the manifest; for paths something that changes with the file
  std::filesystem::path path;  // whose stamp tells whether it still is
  FileStamp stamp;
  std::optional<StoredModel> stored;  // nothing: `path` itself is the model
};

// One spelling for all of a name: "LLama3" and "llama3:latest" are the same. Where paths are
// allowed they stay as they are. kInvalid says what is wrong with it.
Result<std::string> model_key(const std::string& name, bool allow_paths);

class HubBackend {
 public:
  virtual ~HubBackend() = default;
  // Reads a little of the disk. Any thread.
  virtual Result<FoundModel> find(const std::string& name) = 0;
  // Whether a look-up would find the same; quick. Any thread.
  virtual bool still(const FoundModel& model) = 0;

  // The following on the loader's thread, one at a time; they may take long.
  // Everything but what the engine makes of it: context, serving and load time are left.
  virtual Result<std::shared_ptr<LoadedModel>> open(const FoundModel& model) = 0;
  // Fills in `serving`. Returns the bytes that its cache may take at most.
  virtual Result<uint64_t> add(LoadedModel& model, const ServingModelOptions& options) = 0;
  virtual void remove(const LoadedModel& model) = 0;
};

// Models of a store, and of paths where they are allowed; not yet anybody's who runs them.
class StoreBackend : public HubBackend {
 public:
  // Without a store, the one that the environment names.
  StoreBackend(std::optional<Store> store, bool allow_paths)
      : store_(std::move(store)), allow_paths_(allow_paths) {}
  Result<FoundModel> find(const std::string& name) override;
  bool still(const FoundModel& model) override;
  Result<std::shared_ptr<LoadedModel>> open(const FoundModel& model) override;

 private:
  Result<Store> store() const;
  std::optional<Store> store_;
  bool allow_paths_ = false;
};

}  // namespace hearth::server
