#!/usr/bin/env python3
"""cut.py FOLDER SERVER-FOLDER ROUND before|after: a way to a PostgreSQL server that breaks.

Passes on what comes to the socket in FOLDER, until the client asks for an answer for the ROUNDth time; then everything is
closed, before the server gets that question, or after it has answered and before the client hears of it."""
import os
import select
import socket
import sys

SOCKET = "/.s.PGSQL.5432"
READY = b"Z\0\0\0\5"


def answer(server):
    got = b""
    while got[-6:-1] != READY:
        data = server.recv(65536)
        if not data:
            return
        got = got[-6:] + data


class Client:
    """What one client sends, message by message: the first has no type."""

    def __init__(self):
        self.octets, self.started = b"", False

    def messages(self, data):
        self.octets += data
        while True:
            head = 1 if self.started else 0
            n = head + int.from_bytes(self.octets[head : head + 4], "big")
            if len(self.octets) < head + 4 or len(self.octets) < n:
                return
            asks = not self.started or self.octets[:1] in (b"Q", b"S")
            self.started = True
            message, self.octets = self.octets[:n], self.octets[n:]
            yield message, asks


def serve(client, server, left, after):
    sent = Client()
    while True:
        ready = select.select([client, server], [], [])[0]
        if server in ready:
            data = server.recv(65536)
            if not data:
                return left
            client.sendall(data)
        if client in ready:
            data = client.recv(65536)
            if not data:
                return left
            for message, asks in sent.messages(data):
                left -= asks
                if after or left:
                    server.sendall(message)
                if not left:
                    if after:
                        answer(server)
                    return 0


def main(folder, to, number, when):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(folder + "/new")
    listener.listen()
    os.rename(folder + "/new", folder + SOCKET)  # who finds it can connect
    left = int(number)
    while left:
        with listener.accept()[0] as client, socket.socket(socket.AF_UNIX) as server:
            server.connect(to + SOCKET)
            left = serve(client, server, left, when == "after")


main(*sys.argv[1:])
