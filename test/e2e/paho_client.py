"""Python's paho, as it is: every protocol version and QoS, over tcp and WebSocket. Arguments: the two ports."""
import sys
import threading

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

WAIT = 30


def run(port, protocol, transport):
    connected, subscribed, complete = threading.Event(), threading.Event(), threading.Event()
    got = []

    def on_message(_client, _data, message):
        got.append((message.payload, message.qos))
        if len(got) == 3:
            complete.set()

    client = mqtt.Client(client_id=f"paho-{protocol}-{transport}", protocol=protocol, transport=transport)
    if transport == "websockets":
        client.ws_set_options(path="/mqtt")
    client.on_connect = lambda *_: connected.set()
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = on_message
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert connected.wait(WAIT)
    client.subscribe(f"p/{protocol}/{transport}/#", 2)
    assert subscribed.wait(WAIT)
    properties = None
    if protocol == mqtt.MQTTv5:
        properties = Properties(PacketTypes.PUBLISH)
        properties.UserProperty = ("name", "value")
        properties.ContentType = "text/plain"
    for qos in (0, 1, 2):
        more = {} if properties is None else {"properties": properties}
        client.publish(f"p/{protocol}/{transport}/{qos}", str(qos), qos, **more).wait_for_publish(WAIT)
    assert complete.wait(WAIT), got
    assert sorted(got) == [(b"0", 0), (b"1", 1), (b"2", 2)], got
    client.disconnect()
    client.loop_stop()
    print("ok", protocol, transport)


for version in (mqtt.MQTTv31, mqtt.MQTTv311, mqtt.MQTTv5):
    run(int(sys.argv[1]), version, "tcp")
    run(int(sys.argv[2]), version, "websockets")
