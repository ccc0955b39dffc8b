// Any bytes as a Modelfile; what is one keeps its values when they are quoted and read again.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "registry/modelfile.h"
#include "registry/parameters.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = hearth::Modelfile::parse({reinterpret_cast<const char*>(data), size});
  if (!file) {
    CHECK(!file.error().message.empty());
    return 0;
  }
  CHECK(!file->from.empty());
  (void)hearth::parameters_to_json(file->parameters).dump();
  if (!file->system) return 0;
  const auto quoted = hearth::quote_modelfile_value(*file->system);
  if (!quoted) {
    CHECK(file->system->find("\"\"\"") != std::string::npos);
    return 0;
  }
  const auto reread = hearth::Modelfile::parse("FROM x\nSYSTEM " + *quoted);
  CHECK(reread && reread->system == file->system);
  return 0;
}
