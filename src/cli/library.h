// Library: the models, and who keeps and runs them: this process with the store on this disk, or a
// server. Commands get one from library_for() and do not know which it is.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/chat/answerer.h"
#include "cli/client.h"
#include "registry/create.h"

namespace hearth {

struct ListedModel {
  std::string name, digest;  // 64 hex digits
  uint64_t size = 0;
  int64_t modified = 0;      // seconds since 1970
};

// What a server says it is doing.
using StatusSink = std::function<void(std::string_view status)>;

class Library {
 public:
  virtual ~Library() = default;
  // Newest first. Models that cannot be read become `warnings`.
  virtual Result<std::vector<ListedModel>> list(std::vector<std::string>& warnings) = 0;
  virtual Result<void> copy(const ModelName& from, const ModelName& to) = 0;
  // Out of memory and out of the store; all must exist, or nothing is removed. The names as stored.
  virtual Result<std::vector<std::string>> remove(const std::vector<ModelName>& names) = 0;
  virtual Result<CreateResult> create(const CreateRequest& request, const StatusSink& status) = 0;
  // The options are those of `hearth run`; they outlive the answerer.
  virtual Result<std::unique_ptr<Answerer>> open(const std::string& model,
                                                 const Options& options) = 0;
};

std::shared_ptr<Library> local_library();
std::shared_ptr<Library> server_library(ServerClient client);

// The server's where one answers and --local does not forbid it, else this process's. kNetwork
// where one was asked for by name, or is on another machine, and does not answer.
Result<std::shared_ptr<Library>> library_for(const Options& options);

// The same for a model that is to run: files, and what only this process can do, stay here. Why is
// said on stderr where a server was passed over for an option.
Result<std::shared_ptr<Library>> library_to_run(const std::string& model, const Options& options);

}  // namespace hearth
