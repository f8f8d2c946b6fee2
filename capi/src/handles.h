// This file is the only place that says what the handles are that several files of this folder share.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "capi/src/guard.h"
#include "core/client/blob_writer.h"
#include "core/client/meta_builder.h"
#include "core/client/object_view.h"

struct vineyard_blob_writer {
  std::shared_ptr<vineyard::client::BlobWriter> writer;
};

struct vineyard_meta {
  std::shared_ptr<vineyard::client::MetaBuilder> builder;
};

struct vineyard_object {
  explicit vineyard_object(std::unique_ptr<vineyard::client::ObjectView> object)
      : view(std::move(object)) {}
  ~vineyard_object() {
    if (tensor_buffer != nullptr) vineyard::client::ReleaseView(tensor_buffer);
  }
  std::unique_ptr<vineyard::client::ObjectView> view;

  // Of vineyard_object_tensor(), made at its first call.
  std::mutex tensor_mutex;
  vineyard::client::View* tensor_buffer = nullptr;
  std::vector<int64_t> tensor_shape;
};
