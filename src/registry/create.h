// create_model: from a Modelfile to a model of the store. Weights are checked before and after
// they are copied; the manifest comes last, so that a model exists whole or not at all.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "registry/modelfile.h"
#include "registry/store.h"

namespace hearth {

struct CreateRequest {
  ModelName name;
  Modelfile modelfile;
  std::filesystem::path base;  // what relative paths of FROM and ADAPTER start from
  ProgressFunction progress;   // bytes of weights copied; may be empty
};

struct CreateResult {
  ModelName name;                     // as stored
  std::string digest;                 // of the manifest, 64 hex digits
  std::vector<std::string> warnings;  // files that were left out, parameters without effect
};

Result<CreateResult> create_model(const Store& store, const CreateRequest& request);

// The Modelfile that makes this model again, with FROM naming its blob or folder.
Result<std::string> modelfile_of(const ResolvedModel& model);

}  // namespace hearth
