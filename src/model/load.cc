#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/out_of_memory.h"
#include "container/checkpoint_files.h"
#include "model/model.h"

namespace hearth {
namespace {


// Decodes a small tensor to floats that the weight owns. Vectors are read value by value by every
// kernel, and files do not align them.
void own_as_floats(Weight& weight, const std::vector<float>& values) {
  auto owned = std::make_shared<std::vector<float>>(values);
  weight.planes = {{PlaneKind::kCodes, &k_f32, std::as_bytes(std::span<const float>(*owned))}};
  weight.owner = std::move(owned);
}

std::vector<float> decoded(const TensorFile& file, const TensorInfo& tensor) {
  std::vector<float> values(tensor.elems());
  tensor.encoding->decode(file.data(tensor).data(), values.data(), values.size());
  return values;
}

class Loader {
 public:
  Loader(Model& model) : model_(model), gguf_(model.file.kind() == ContainerKind::kGguf) {}

  Result<void> run() {
    TRY(check_layers());
    for (const TensorRow& row : model_.arch->tensors) {
      if (!gguf_ && row.hf.empty()) continue;
      int64_t count = row.per_layer() ? model_.config.layers : 1;
      for (int64_t i = 0; i < count; ++i)
        TRY(add(row, row.per_layer() ? static_cast<int32_t>(i) : -1));
    }
    return {};
  }

 private:
  Result<void> add(const TensorRow& row, int32_t layer) {
    std::string name = layer_name(gguf_ ? row.gguf : row.hf, layer);
    const TensorInfo* tensor = model_.file.find(name);
    if (tensor == nullptr && row.need == Need::kOptional) return {};
    if (row.need == Need::kTied && (tensor == nullptr || (!gguf_ && model_.config.tied)))
      return add_tied(row);
    if (tensor == nullptr)
      return fail(Code::kCorrupt, "{}: the tensor {} is missing", model_.file.path(), name);
    TRY(check_shape(row, *tensor));

    Weight weight{.slot = std::string(row.slot), .name = name, .role = row.role, .layer = layer};
    weight.rows = size_of(row.rows, model_.config);
    weight.cols = size_of(row.cols, model_.config);
    if (row.rows == Dim::kOne) {
      std::vector<float> values = decoded(model_.file, *tensor);
      if (row.fix == Fix::kPlusOne && !gguf_)
        for (float& value : values) value += 1.0f;
      own_as_floats(weight, values);
    } else {
      weight.planes = {{PlaneKind::kCodes, tensor->encoding, model_.file.data(*tensor)}};
    }
    model_.weights.push_back(std::move(weight));
    return {};
  }

  // A file with more layers than its settings say is no smaller model: it is one whose settings
  // are wrong, and half of it would answer nonsense.
  Result<void> check_layers() const {
    for (const TensorRow& row : model_.arch->tensors) {
      if (!row.per_layer() || row.need != Need::kRequired) continue;
      std::string beyond = layer_name(gguf_ ? row.gguf : row.hf, model_.config.layers);
      if (model_.file.find(beyond) != nullptr)
        return fail(Code::kCorrupt, "{}: the tensor {} lies beyond the {} layers that the model's "
                                    "settings ask for",
                    model_.file.path(), beyond, model_.config.layers);
    }
    return {};
  }

  Result<void> add_tied(const TensorRow& row) {
    for (const Weight& other : model_.weights)
      if (other.role == Role::kTokenEmbd) {
        Weight weight = other;
        weight.slot = row.slot;
        weight.role = row.role;
        model_.weights.push_back(std::move(weight));
        return {};
      }
    return fail(Code::kCorrupt, "{}: has neither an output head nor a token embedding",
                model_.file.path());
  }

  Result<void> check_shape(const TensorRow& row, const TensorInfo& tensor) {
    auto rows = static_cast<uint64_t>(size_of(row.rows, model_.config));
    auto cols = static_cast<uint64_t>(size_of(row.cols, model_.config));
    std::vector<uint64_t> expected = {rows, cols};
    if (row.rows == Dim::kOne) expected = {cols};
    if (tensor.shape == expected) return {};
    return fail(Code::kCorrupt,
                "{}: the tensor {} has the shape {}, but the model's settings ask for [{}{}] "
                "({}{})",
                model_.file.path(), tensor.name, tensor.shape_text(),
                row.rows == Dim::kOne ? "" : fmt::format("{}, ", rows), cols,
                row.rows == Dim::kOne ? "" : fmt::format("{} by ", name_of(row.rows)),
                name_of(row.cols));
  }

  Model& model_;
  bool gguf_;
};

Result<void> read_gguf_config(Model& model) {
  const Metadata& metadata = model.file.metadata();
  auto name = metadata.text("general.architecture");
  if (!name) return fail(name.error().code, "{}: {}", model.file.path(), name.error().message);
  model.arch = find_arch_gguf(*name);
  if (model.arch == nullptr)
    return fail(Code::kUnsupported, "{}: the architecture '{}' is not known to Hearth yet",
                model.file.path(), *name);
  auto config = read_config(*model.arch, metadata);
  if (!config) return std::unexpected(with_context(config.error(), model.file.path()));
  model.config = *config;
  const TensorInfo* embedding = model.file.find("token_embd.weight");
  if (embedding == nullptr || embedding->shape.size() != 2)
    return fail(Code::kCorrupt, "{}: the tensor token_embd.weight is missing or no matrix",
                model.file.path());
  model.config.vocab = static_cast<int64_t>(embedding->shape[0]);
  if (model.config.vocab > (1 << 24))
    return fail(Code::kCorrupt, "{}: a vocabulary of {}", model.file.path(), model.config.vocab);
  model.chat_template = TRY(metadata.text("tokenizer.chat_template", ""));
  return {};
}

Result<void> read_checkpoint_config(Model& model, const std::string& folder) {
  Json config = TRY(read_checkpoint_json(folder, "config.json"));
  const Json& classes = config["architectures"];
  std::string name;
  if (classes.is_array() && !classes.as_array().empty() && classes.as_array()[0].is_string())
    name = classes.as_array()[0].as_string();
  model.arch = find_arch_hf(name);
  if (model.arch == nullptr)
    return fail(Code::kUnsupported, "{}/config.json: the architecture '{}' is not known to "
                                    "Hearth yet", folder, name);
  auto read = read_config(*model.arch, config);
  if (!read) return std::unexpected(with_context(read.error(), folder));
  model.config = *read;
  model.chat_template = TRY(read_checkpoint_template(folder));
  return {};
}

// Divisors of the rotary frequencies that come as a tensor (Llama 3 in GGUF).
Result<void> take_rope_factors(Model& model) {
  for (const Weight& weight : model.weights) {
    if (weight.role != Role::kRopeFactors) continue;
    std::vector<float> factors(static_cast<size_t>(weight.cols));
    k_f32.decode(weight.data(), factors.data(), factors.size());
    for (float factor : factors)
      if (!(factor > 0) || factor > 1e6f)
        return fail(Code::kCorrupt, "{}: {} holds {}, which must be positive",
                    model.file.path(), weight.name, factor);
    model.config.rope.factors = std::move(factors);
  }
  return {};
}

Result<std::shared_ptr<const Model>> load_open(TensorFile file, const std::string& folder) {
  auto model = std::make_shared<Model>();
  model->file = std::move(file);
  if (model->file.kind() == ContainerKind::kGguf) {
    TRY(read_gguf_config(*model));
  } else {
    TRY(read_checkpoint_config(*model, folder));
  }
  TRY(Loader(*model).run());
  TRY(take_rope_factors(*model));
  model->program = model->arch->forward(model->config, model->weights);
  return model;
}

}  // namespace

Result<std::shared_ptr<const Model>> Model::load(const std::string& path) {
  TensorFile file = TRY(TensorFile::open(path));
  return load(std::move(file), path);
}

Result<std::shared_ptr<const Model>> Model::load(TensorFile file, const std::string& folder) {
  return catching_bad_alloc([&] { return load_open(std::move(file), folder); });
}

Result<std::shared_ptr<const Tokenizer>> load_tokenizer(const TensorFile& file,
                                                        const std::string& path) {
  if (file.kind() == ContainerKind::kGguf) return Tokenizer::from_gguf(file.metadata());
  return Tokenizer::from_folder(path);
}

bool Model::shares_embedding(const Weight& weight) const {
  return weight.role == Role::kOutput && weight.name == weights.front().name;
}

uint64_t Model::parameters() const {
  uint64_t sum = 0;
  for (const Weight& weight : weights)
    if (!shares_embedding(weight))
      sum += static_cast<uint64_t>(weight.rows * weight.cols);
  return sum;
}

uint64_t Model::weight_bytes() const {
  uint64_t sum = 0;
  for (const Weight& weight : weights)
    if (!shares_embedding(weight))
      sum += weight.bytes();
  return sum;
}

}  // namespace hearth
