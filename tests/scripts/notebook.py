#!/usr/bin/env python
# coding: utf-8

# # A notebook, exported to a script

# In[1]:


import keras
import numpy as np

# In[2]:


x = np.random.default_rng(0).normal(size=(64, 4))
y = x[:, 0] > 0
x.shape, y.mean()


# In[3]:


model = keras.Sequential()
model.add(keras.layers.Dense(8, activation="relu"))
model.add(keras.layers.Dense(1, activation="sigmoid"))
model.compile(loss="binary_crossentropy", optimizer="rmsprop", metrics=["accuracy"])
history = model.fit(x, y, epochs=2, batch_size=16, verbose=0)
history.history


# In[4]:


model.summary()
