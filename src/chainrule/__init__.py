from chainrule.graph import *
from chainrule.graph.functions import *
from chainrule.graph.derivatives import *
from chainrule.layers import *
from chainrule.networks import *
