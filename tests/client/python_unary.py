#!/usr/bin/python3
"""The public gRPC API from another language: put, get, scan, compare-and-set and bad input through the unary calls,
with stubs made from the public protos by Debian's protoc and grpc_python_plugin.

  python_unary.py HOST:PORT [PROTO_DIR]     of a proxy; PROTO_DIR: where meridian/v1/*.proto stand
"""

import os
import random
import subprocess
import sys
import tempfile

import grpc


def make_stubs(proto_dir, out):
    protos = [os.path.join(proto_dir, "meridian/v1", name) for name in ("kv.proto", "admin.proto")]
    subprocess.run(["protoc", "-I", proto_dir, f"--python_out={out}", f"--grpc_out={out}",
                    "--plugin=protoc-gen-grpc=/usr/bin/grpc_python_plugin", *protos], check=True)
    sys.path.insert(0, out)
    from meridian.v1 import kv_pb2, kv_pb2_grpc, admin_pb2, admin_pb2_grpc
    return kv_pb2, kv_pb2_grpc, admin_pb2, admin_pb2_grpc


def error_of(call, kv):
    """The status code and the parsed ErrorDetail of a call that must fail."""
    try:
        call()
    except grpc.RpcError as error:
        trailers = dict(error.trailing_metadata())
        assert "meridian-error-bin" in trailers, f"no detail in the trailers {trailers}"
        return error.code(), kv.ErrorDetail.FromString(trailers["meridian-error-bin"])
    raise AssertionError("the call succeeded")


def scan(store, kv, **arguments):
    pages, token = [], b""
    while True:
        pages.append(store.Scan(kv.ScanRequest(page_token=token, **arguments), timeout=60))
        token = pages[-1].next_page_token
        if not token:
            return pages


def check_large_answers(store, kv, prefix):
    """Whatever is asked for fits what a client takes that nobody told otherwise: 4 MiB of answer, 8 KiB of metadata."""
    batch = 500
    for start in range(0, 3000, batch):
        store.WriteBatch(kv.WriteBatchRequest(mutations=[
            kv.Mutation(key=prefix + b"a/%04d" % i, value=b"v" * 5000) for i in range(start, start + batch)]), timeout=60)
    pages = scan(store, kv, prefix=prefix + b"a/", limit=3000)
    assert sum(len(page.entries) for page in pages) == 3000 and len(pages) < 6, [len(page.entries) for page in pages]
    pages = scan(store, kv, prefix=prefix + b"a/", limit=3000, reverse=True)
    assert sum(len(page.entries) for page in pages) == 3000, [len(page.entries) for page in pages]

    long_key = prefix + b"b/" + b"k" * (4096 - 10 - len(prefix))
    for i in range(30):
        store.WriteBatch(kv.WriteBatchRequest(mutations=[
            kv.Mutation(key=long_key + b"%03d" % (i * 50 + j), value=b"") for j in range(50)]), timeout=60)
    for arguments in ({}, {"keys_only": True}):
        pages = scan(store, kv, prefix=prefix + b"b/", limit=2000, **arguments)
        assert sum(len(page.entries) for page in pages) == 1500, [len(page.entries) for page in pages]

    keys = [prefix + b"c/%02d" % i for i in range(20)]
    for key in keys:
        store.Put(kv.PutRequest(key=key, value=key * ((1 << 20) // len(key))), timeout=60)
    pages = scan(store, kv, prefix=prefix + b"c/", keys_only=True)
    assert len(pages) == 1 and len(pages[0].entries) == 20, [len(page.entries) for page in pages]
    items, options = [], None
    while len(items) < len(keys):
        read = store.MultiGet(kv.MultiGetRequest(keys=keys[len(items):], options=options), timeout=60)
        assert read.items and len(read.items) + read.rest == len(keys) - len(items), (len(read.items), read.rest)
        assert options is None or read.info.timestamp == options.at_timestamp, read.info
        options = kv.ReadOptions(at_timestamp=read.info.timestamp)
        items += read.items
    assert [item.value[:len(key)] for key, item in zip(keys, items)] == keys

    code, detail = error_of(lambda: store.WriteBatch(kv.WriteBatchRequest(mutations=[
        kv.Mutation(key=b"\xff" * 4096, value=b"1"), kv.Mutation(key=b"\xff" * 4096, value=b"2")]), timeout=20), kv)
    assert code == grpc.StatusCode.INVALID_ARGUMENT and "twice" in detail.message, detail


def check(address, proto_dir, out):
    kv, kv_grpc, admin, admin_grpc = make_stubs(proto_dir, out)
    channel = grpc.insecure_channel(address)
    grpc.channel_ready_future(channel).result(timeout=20)
    store = kv_grpc.KeyValueStub(channel)
    prefix = b"python/%d/" % random.getrandbits(48)

    hello = store.Hello(kv.HelloRequest(), timeout=20)
    assert hello.cluster_time_us > 0 and hello.cluster_id != 0, hello

    version = 0
    for i in range(25):
        version = store.Put(kv.PutRequest(key=prefix + b"%02d" % i, value=b"value %d" % i), timeout=20).version
    read = store.Get(kv.GetRequest(key=prefix + b"24"), timeout=20)
    assert read.found and read.value == b"value 24" and read.version == version, read
    assert read.info.timestamp >= version and read.info.node_id > 0 and read.info.region, read.info
    assert not store.Get(kv.GetRequest(key=prefix + b"none"), timeout=20).found

    entries, token, timestamps = [], b"", set()
    while True:
        page = store.Scan(kv.ScanRequest(prefix=prefix, limit=10, page_token=token), timeout=20)
        entries += page.entries
        timestamps.add(page.info.timestamp)
        token = page.next_page_token
        if not token:
            break
        store.Put(kv.PutRequest(key=prefix + b"99", value=b"later"), timeout=20)
    assert [e.key for e in entries] == [prefix + b"%02d" % i for i in range(25)], entries
    assert len(timestamps) == 1, f"the pages are of several timestamps: {timestamps}"

    key = prefix + b"00"
    taken = store.CompareAndSet(kv.CompareAndSetRequest(key=key, expected_absent=True, value=b"mine"), timeout=20)
    assert not taken.succeeded and taken.version > 0, taken
    taken = store.CompareAndSet(kv.CompareAndSetRequest(key=key, expected_version=taken.version, value=b"mine"), timeout=20)
    assert taken.succeeded, taken

    once = kv.PutRequest(key=key, value=b"once", id=kv.RequestId(
        time_us=store.Hello(kv.HelloRequest(), timeout=20).cluster_time_us, client=random.getrandbits(64), sequence=1))
    assert store.Put(once, timeout=20).version == store.Put(once, timeout=20).version, "one id took effect twice"

    code, detail = error_of(lambda: store.Get(kv.GetRequest(key=b""), timeout=20), kv)
    assert code == grpc.StatusCode.INVALID_ARGUMENT and detail.code == 1 and detail.definite and detail.message, detail
    code, detail = error_of(lambda: store.Put(kv.PutRequest(key=b"x" * 5000, value=b""), timeout=20), kv)
    assert code == grpc.StatusCode.INVALID_ARGUMENT, code
    assert "5000" in detail.message and "4096" in detail.message, f"value and limit are not named: {detail.message}"
    code, detail = error_of(lambda: store.Get(kv.GetRequest(key=b"x", keyspace="no such"), timeout=20), kv)
    assert code == grpc.StatusCode.NOT_FOUND and "no such" in detail.message, detail

    check_large_answers(store, kv, prefix + b"large/")

    status = admin_grpc.AdminStub(channel).GetStatus(admin.GetStatusRequest(), timeout=20)
    assert status.cluster_id == hello.cluster_id and status.nodes, status


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    here = os.path.dirname(os.path.abspath(__file__))
    proto_dir = sys.argv[2] if len(sys.argv) == 3 else os.path.join(here, "../../client/proto")
    with tempfile.TemporaryDirectory() as out:
        check(sys.argv[1], os.path.abspath(proto_dir), out)
    print("ok")


if __name__ == "__main__":
    main()
